"""The nightly job: steps, their order, their files, the command line."""
