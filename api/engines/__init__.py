"""One loaded version, and how its questions share a core."""
