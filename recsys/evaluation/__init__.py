"""Offline evaluation: metrics, their uncertainty, and the report."""
