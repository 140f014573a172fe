"""Patches around one site without end: prior, kernel library, renderer, recipe; and the Bayes oracle."""
