"""Frozen sound embeddings: what a sound is like, as one vector."""
