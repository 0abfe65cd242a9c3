"""Public data sets: their cards, downloads and formats."""
