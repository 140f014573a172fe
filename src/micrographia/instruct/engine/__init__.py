"""From images to verified records: what is asked, at what pace and price, and how nothing is lost or paid twice."""
