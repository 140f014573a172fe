"""Expert criteria, positive and negative references, and verdicts with evidence and records."""
