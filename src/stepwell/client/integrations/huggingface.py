"""A callback for the Trainer of Hugging Face: `Trainer(..., callbacks=[StepwellCallback(experiment="bert")])`."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

from transformers import TrainerCallback

from stepwell.client.run import Run, init


class StepwellCallback(TrainerCallback):  # type: ignore[misc]  # Any where transformers is not installed
    """Writes what a training logs, from the main process alone: `train/loss`, `eval/loss` and so on.

    run: one that is there, which then is not ended; else one is made when it is first needed, with the arguments of
    `stepwell.init`, and with the training's arguments and the model's configuration as params. It ends with the
    training; what is evaluated later is written to it all the same. A run that goes on keeps the params that it has.
    """

    def __init__(self, run: Run | None = None, **options: Any) -> None:
        self.run = run
        self._own = run is None
        self._options = options
        self._training = False
        self._described = bool(options.get("resume"))

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Make the run, or go on with it."""
        if state.is_world_process_zero:
            self._training = True
            self._begin(args, model)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep the numbers."""
        numbers = {_named(name): value for name, value in (logs or {}).items() if _is_number(value)}
        if not (state.is_world_process_zero and numbers):
            return
        self._begin(args, model).log(numbers, state.global_step)
        if not self._training:
            self._end()  # an evaluation by itself

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run."""
        self._training = False
        self._end()

    def _begin(self, args: Any, model: Any) -> Run:
        """The run, which is not ended."""
        if self.run is None or (self._own and self.run.ended):
            again = {} if self.run is None else {"id": self.run.id, "resume": True}
            self.run = init(**{"name": getattr(args, "run_name", None), **self._options, **again})
        if not self._described:
            self._described = True
            self.run.change(params=_params(args, model))
        return self.run

    def _end(self) -> None:
        if self.run is not None and self._own:
            self.run.finish()


def _params(args: Any, model: Any) -> dict[str, Any]:
    config = getattr(model, "config", None)
    return {"train": _plain(args), **({} if config is None else {"model": _plain(config)})}


def _plain(config: Any) -> Mapping[str, Any]:
    """Its fields. Tokens are not among them."""
    fields = config.to_dict() if hasattr(config, "to_dict") else {}
    return {name: value for name, value in fields.items() if "token" not in name or name.endswith("token_id")}


def _is_number(value: Any) -> bool:
    """Numbers, and tensors that may be one."""
    return isinstance(value, Number) or hasattr(value, "item")


def _named(name: str) -> str:
    """`eval_loss` is `eval/loss`, and what has no such prefix is of the training."""
    for part in ("eval", "test", "predict"):
        if name.startswith(f"{part}_"):
            return f"{part}/{name[len(part) + 1 :]}"
    return f"train/{name}"
