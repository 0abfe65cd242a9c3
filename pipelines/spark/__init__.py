"""The steps of a job with `compute.engine = "spark"`; the other steps are those of every job."""
