"""How a classifier of whole micrographs is trained: a folder of images a class in, weights and their worth out."""
