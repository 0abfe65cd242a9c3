"""Embedding-based recommendations: data, models, retrieval, evaluation, artifacts, engine."""
