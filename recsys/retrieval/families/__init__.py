"""Families of approximate index: one file each, and a registry."""
