"""Similarity of a sample to what an expert accepted and rejected, each part a function of its own."""
