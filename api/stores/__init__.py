"""Stores that are served: what they point at, and what changes in them while they are served."""
