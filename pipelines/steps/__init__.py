"""The steps of the nightly job, their order and their files."""
