"""A callback for the Trainer of Hugging Face: `Trainer(..., callbacks=[StepwellCallback(experiment="bert")])`."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

from transformers import TrainerCallback

from stepwell.client.run import Run, init


class StepwellCallback(TrainerCallback):  # type: ignore[misc]  # Any where transformers is not installed
    """Writes what a training logs, from the main process alone: `train/loss`, `eval/loss` and so on.

    run: one that is there, which then is not ended; else one is made when the training begins, with the arguments of
    `stepwell.init`, and with the training's arguments and the model's configuration as params.
    """

    def __init__(self, run: Run | None = None, **options: Any) -> None:
        self.run = run
        self._own = run is None
        self._options = options

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Make the run."""
        if not state.is_world_process_zero:
            return
        if self.run is None or (self._own and self.run.ended):
            again = {} if self.run is None else {"id": self.run.id, "resume": True}
            self.run = init(**{"name": getattr(args, "run_name", None), **self._options, **again})
        config = getattr(model, "config", None)
        self.run.change(params={"train": _plain(args), **({} if config is None else {"model": _plain(config)})})

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Keep the numbers."""
        if self.run is not None and logs:
            numbers = {_named(name): value for name, value in logs.items() if isinstance(value, Number)}
            self.run.log(numbers, state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run."""
        if self.run is not None and self._own:
            self.run.finish()


def _plain(config: Any) -> Mapping[str, Any]:
    """Its fields. Tokens are not among them."""
    fields = config.to_dict() if hasattr(config, "to_dict") else {}
    return {name: value for name, value in fields.items() if "token" not in name or name.endswith("token_id")}


def _named(name: str) -> str:
    """`eval_loss` is `eval/loss`, and what has no such prefix is of the training."""
    for part in ("eval", "test", "predict"):
        if name.startswith(f"{part}_"):
            return f"{part}/{name[len(part) + 1 :]}"
    return f"train/{name}"
