"""Decide sites by a network: canonical patches, descriptors of the context, the model, its opinion of a scan."""
