"""The process: one listening socket, worker processes, an end in time."""
