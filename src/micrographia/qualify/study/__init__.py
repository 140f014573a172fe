"""Studies of a library: what each part of a score contributes, and how far experts agree."""
