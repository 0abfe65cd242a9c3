"""Encoders: one file per way to turn titles, attributes, texts or pictures into vectors."""
