"""The sections of a pipeline.toml as frozen models, each with its keys, bounds and defaults."""

from recsys.config.base import (
    DATA_DIR_VARIABLE,
    LARGEST_SEED,
    Duration,
    FilePath,
    InputPaths,
    Section,
    data_dir,
    duration_text,
    seconds_of,
)
from recsys.config.compute import ComputeConfig
from recsys.config.database import DatabaseRows
from recsys.config.evaluate import HOLDOUT_ROWS, EvaluateConfig
from recsys.config.export import ExportConfig
from recsys.config.files import FileFormat
from recsys.config.ids import NULL_IDS, IdSpelling
from recsys.config.items import ItemsConfig
from recsys.config.limits import LimitsConfig
from recsys.config.log import LogConfig, LogFiles, LogSchema
from recsys.config.prepare import PrepareConfig
from recsys.config.publish import PublishConfig
from recsys.config.resources import ResourcesConfig
from recsys.config.serve import ServeConfig

__all__ = [
    "DATA_DIR_VARIABLE",
    "HOLDOUT_ROWS",
    "LARGEST_SEED",
    "NULL_IDS",
    "ComputeConfig",
    "DatabaseRows",
    "Duration",
    "EvaluateConfig",
    "ExportConfig",
    "FileFormat",
    "FilePath",
    "IdSpelling",
    "InputPaths",
    "ItemsConfig",
    "LimitsConfig",
    "LogConfig",
    "LogFiles",
    "LogSchema",
    "PrepareConfig",
    "PublishConfig",
    "ResourcesConfig",
    "Section",
    "ServeConfig",
    "data_dir",
    "duration_text",
    "seconds_of",
]
