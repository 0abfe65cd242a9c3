"""The job as a child process, watched by a small parent: memory, time, signals, and what is left after an end."""
