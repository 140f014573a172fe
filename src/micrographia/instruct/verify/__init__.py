"""Whether an answer is true, of the asked form, and worth keeping."""
