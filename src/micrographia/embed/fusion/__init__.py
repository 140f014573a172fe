"""The fused encoder: patches, a patch hypergraph and language, joined level by level."""
