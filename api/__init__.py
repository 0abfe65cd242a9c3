"""The HTTP service: parse, call the engine, serialise."""
