"""Campaigns that attack stores and versions. `python -m torture` runs them long; the test suite runs them short."""
