"""Top-k search over item vectors, exact and indexed."""
