"""Records in the forms that training programs read."""
