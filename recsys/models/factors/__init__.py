"""Models that learn user and item vectors."""
