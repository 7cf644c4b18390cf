"""A SummaryWriter as PyTorch and tensorboardX have it, on a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike, fspath
from types import TracebackType
from typing import Any

from stepwell.client.run import Run, init


class SummaryWriter:
    """Scalars, texts and hyperparameters. What else there is to add is counted as a problem of the run, and left out.

    log_dir: becomes the run's name. run: one that is there, which `close` then does not end; else one is made, with the
    arguments of `stepwell.init`.
    """

    def __init__(
        self, log_dir: str | PathLike[str] | None = None, comment: str = "", *, run: Run | None = None, **options: Any
    ) -> None:
        self._own = run is None
        if run is None:
            known = {"purge_step", "max_queue", "flush_secs", "filename_suffix"}  # of files, which there are none
            given = {name: value for name, value in options.items() if name not in known}
            named = f"{fspath(log_dir) if log_dir else ''}{comment}"
            run = init(**{"name": named or None, **given})
        self.run = run

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, walltime: float | None = None, **_: Any
    ) -> None:
        """One value. walltime: seconds since 1970 UTC."""
        self.run.log({tag: scalar_value}, global_step, time_us=_microseconds(walltime))

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Values of one step, each as MAIN_TAG/NAME."""
        values = {f"{main_tag}/{name}": value for name, value in tag_scalar_dict.items()}
        self.run.log(values, global_step, time_us=_microseconds(walltime))

    def add_text(self, tag: str, text_string: str, global_step: int | None = None, *_: Any, **__: Any) -> None:
        """A text, as an event of the run."""
        self.run.event("text", text_string, {"tag": tag, "step": global_step})

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        *_: Any,
        global_step: int | None = None,
        **__: Any,
    ) -> None:
        """Params of the run, and metrics."""
        self.run.change(params=hparam_dict)
        self.run.log(metric_dict, global_step)

    def flush(self) -> None:
        """Returns when all is on the disk."""
        self.run.flush()

    def close(self) -> None:
        """End the run, if it was made here."""
        if self._own:
            self.run.finish()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            self.run.__exit__(kind, error, trace)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever else a training adds must not stop it."""
        if not name.startswith("add_"):
            raise AttributeError(f"SummaryWriter has no attribute {name!r}")

        def left_out(*_: Any, **__: Any) -> None:
            self.run.tell(f"SummaryWriter.{name} is left out: only scalars, texts and hyperparameters are kept")

        return left_out


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)
