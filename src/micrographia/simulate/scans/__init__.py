"""A specimen becomes a micrograph: superposition, faults of the scan, noise; and the reference by full multislice."""
