"""Sealed versions on disk: the manifest, the bundle, the registry."""
