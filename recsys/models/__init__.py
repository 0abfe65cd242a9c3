"""Learned embeddings and the baselines they are compared with."""
