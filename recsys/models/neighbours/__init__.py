"""Models that compare items by who used them."""
