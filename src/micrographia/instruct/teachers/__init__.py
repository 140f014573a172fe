"""Teachers behind one protocol: deterministic wording of measured facts, a local language model, or a provider's."""
