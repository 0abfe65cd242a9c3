"""Splits: the events a model is trained on, and those held out to evaluate it."""
