"""Which class a whole micrograph is of, by a model that was trained on a folder of images a class; or unknown."""
