"""Titles found by the beginnings of their words, with typing errors."""
