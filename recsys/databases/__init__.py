"""Databases as something to read from: one address, read through Arrow (ADBC), with errors of our own."""
