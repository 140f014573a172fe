"""How a segmenting network learns from a handful of labelled images."""
