"""What a space of item vectors means: clusters and directions with names, its dimensions, a map of two."""
