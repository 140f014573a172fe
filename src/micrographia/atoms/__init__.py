"""Atomic sites of a STEM scan: find columns, fit the lattice, decide by physics."""
