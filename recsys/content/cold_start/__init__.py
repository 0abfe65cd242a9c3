"""Cold start: learned vectors for items that have few events or none, from vectors of their content."""
