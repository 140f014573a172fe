"""The fusion recipe: a small student learns from large teachers, from made-up and real micrographs."""
