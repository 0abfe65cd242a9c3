"""Experiments: users split between two arms, and what the difference between these is worth. Pure functions."""
