"""What a model is trained on, and what is held out to measure it."""
