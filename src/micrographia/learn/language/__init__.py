"""The language recipe: a small text encoder learns to speak of micrographs, and forgets nothing else."""
