"""What a job will take, before it is run: memory by step, disk, and a rough time."""
