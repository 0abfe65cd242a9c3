"""Which steps a job on Spark does in its own way. Imported late, because it imports pyspark."""

from collections.abc import Callable, Mapping

from pipelines.spark.evaluate import evaluate
from pipelines.spark.prepare import prepare
from pipelines.spark.train import train
from pipelines.steps.summaries import StepSummary

STEPS: Mapping[str, Callable[..., StepSummary]] = {"prepare": prepare, "evaluate": evaluate, "train": train}
"""By name. Index and publish are those of every job; export asks for its way of writing itself."""
