"""`[resources]`: how much memory and time a job may take. They change nothing of what it makes."""

from pydantic import Field, StrictBool

from recsys.config.base import Duration, Section


class ResourcesConfig(Section):
    """`[resources]`: how much memory and time a job may take, after which it is ended (docs/nights.md)."""

    memory_gib: float | None = Field(
        None,
        gt=0,
        le=1_048_576,
        description="GiB that the processes of the job may hold, without mapped files; by default what is available "
        "at its start, less a twentieth, at least 128 MiB",
    )
    time: Duration = Field(86_400, gt=0, description="from the start of a job to its end; not of `recsys tune`")
    stall: Duration = Field(7_200, gt=0, description="without any progress and with hardly any use of the processor")
    check_forecast: StrictBool = Field(
        True,
        description="refuse a job that clearly does not fit, by its forecast, before it begins; "
        "`--ignore-forecast` does not, for once",
    )
