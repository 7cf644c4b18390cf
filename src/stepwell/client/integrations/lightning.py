"""A logger for PyTorch Lightning: `Trainer(logger=StepwellLogger(experiment="digits"))`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

from stepwell.client.run import Run, init

try:
    from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
    from lightning.pytorch.utilities.rank_zero import rank_zero_only
except ImportError:  # the same, under its older name
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities.rank_zero import rank_zero_only

_ENDS: Final = {"success": "FINISHED", "finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class StepwellLogger(Logger):  # type: ignore[misc]  # Any where Lightning is not installed
    """Writes what a training logs, from the process of rank 0 alone.

    run: one that is there; else one is made when it is first needed, with the arguments of `stepwell.init`. prefix: is
    put before each metric, with a "/".
    """

    def __init__(self, run: Run | None = None, *, prefix: str = "", **options: Any) -> None:
        super().__init__()
        self._run = run
        self._own = run is None
        self._prefix = f"{prefix}/" if prefix else ""
        self._options = options

    @property
    @rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> Run:
        """The run. One that was ended by `finalize` goes on."""
        if self._run is None:
            self._run = init(**self._options)
        elif self._own and self._run.ended:
            self._run = init(**{**self._options, "id": self._run.id, "resume": True})
        return self._run

    @property
    def name(self) -> str | None:
        """The experiment's name."""
        found = self._options.get("experiment")
        return None if found is None else str(found)

    @property
    def version(self) -> str | None:
        """The run's id, once it is there."""
        return None if self._run is None else self._run.id

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Keep values."""
        self.experiment.log({f"{self._prefix}{name}": value for name, value in metrics.items()}, step)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Keep params."""
        self.experiment.change(params=vars(params) if isinstance(params, Namespace) else params)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def save(self) -> None:
        """Returns when all is on the disk."""
        if self._run is not None:
            self._run.flush()

    @rank_zero_only  # type: ignore[untyped-decorator]
    def finalize(self, status: str) -> None:
        """The training, or a part of it, has ended. Lightning calls this where it meets what ended it."""
        if self._run is None or not self._own:
            return
        error = sys.exc_info()[1]
        if status == "failed" and error is not None:
            self._run.__exit__(type(error), error, error.__traceback__)  # FAILED and why, or KILLED by Ctrl-C
        else:
            self._run.finish(_ENDS.get(status, "FINISHED"))
