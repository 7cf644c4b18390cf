"""A SummaryWriter as PyTorch and tensorboardX have it, on a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike, fspath
from types import TracebackType
from typing import Any

from stepwell.client.run import Run, init


class SummaryWriter:
    """Scalars, texts and hyperparameters. What else there is to add is counted as a problem of the run, and left out.

    log_dir: becomes the run's name; nothing is written there. run: one that is there, which `close` then does not end;
    else one is made, with the arguments of `stepwell.init`. What is added after `close` goes on with it.
    """

    def __init__(
        self,
        log_dir: str | PathLike[str] | None = None,
        comment: str = "",
        *_: Any,
        run: Run | None = None,
        **options: Any,
    ) -> None:
        self._own = run is None
        known = {"purge_step", "max_queue", "flush_secs", "filename_suffix", "logdir"}  # of files, which there are none
        named = f"{fspath(log_dir or options.get('logdir') or '')}{comment}"
        self._options = {name: value for name, value in options.items() if name not in known}
        self.run = init(**{"name": named or None, **self._options}) if run is None else run
        self.log_dir = self.logdir = named or f"runs/{self.run.id}"

    def get_logdir(self) -> str:
        """The folder that would hold files."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        *_: Any,
        **__: Any,
    ) -> None:
        """One value. walltime: seconds since 1970 UTC."""
        self._open().log({tag: scalar_value}, global_step, time_us=_microseconds(walltime))

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Values of one step, each as MAIN_TAG/NAME."""
        values = {f"{main_tag}/{name}": value for name, value in tag_scalar_dict.items()}
        self._open().log(values, global_step, time_us=_microseconds(walltime))

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """A text, as an event of the run."""
        self._open().event("text", text_string, {"tag": tag, "step": global_step}, time_us=_microseconds(walltime))

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: Any = None,
        global_step: int | None = None,
    ) -> None:
        """Params of the run, and metrics of it, whatever else they would be of."""
        self._open().change(params=hparam_dict)
        self._open().log(metric_dict, global_step)

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

    def _open(self) -> Run:
        if self._own and self.run.ended:
            self.run = init(**{**self._options, "id": self.run.id, "resume": True})
        return self.run


def _microseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e6)
