"""One atomic column: potentials, vibration, its kernel by multislice, aberrations of the probe."""
