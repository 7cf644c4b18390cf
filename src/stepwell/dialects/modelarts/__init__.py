"""ModelArts training jobs: every run is a job, every worker of it a task with its usage by the minute."""

from stepwell.dialects.modelarts.dialect import dialect

__all__ = ["dialect"]
