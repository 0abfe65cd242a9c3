"""`python -m pipelines` is `recsys`."""

from pipelines.entry import main

main()
