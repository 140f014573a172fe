"""The network that segments: an encoder that came trained, and a decoder that learns from a handful of images."""
