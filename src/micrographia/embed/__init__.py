"""Images and texts as vectors: encoders behind one protocol, by name, with their licences."""
