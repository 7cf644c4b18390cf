"""The logger under Lightning's own Trainer: all it logs arrives, bit by bit, and a run ends as its training does."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture(autouse=True)
def whole_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's PyTorch of 2022 cannot import its sharded tensors on Python 3.11; no training here has any."""
    hooks = "_register_sharded_tensor_state_dict_hooks_if_available"
    monkeypatch.setattr(pl.LightningModule, hooks, lambda self: None, raising=False)


@pytest.fixture
def logger(stepwell: Any) -> Callable[..., Any]:
    """Makes a logger."""
    from stepwell.client.integrations.lightning import StepwellLogger

    return StepwellLogger


class Line(pl.LightningModule):
    """A straight line. `losses`: what each step had, before anybody logged it."""

    def __init__(self, lr: float = 0.1, width: int = 4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)
        self.losses: list[tuple[int, float]] = []

    def _loss(self, batch: Any) -> Any:
        return ((self.layer(batch[0]) - batch[1]) ** 2).mean()

    def training_step(self, batch: Any, _: int) -> Any:
        loss = self._loss(batch)
        self.losses.append((self.global_step, loss.item()))
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("val/loss", self._loss(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Ending(pl.Callback):
    """Raises behind a step."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == 3:
            raise self.error


def batches() -> Any:
    return DataLoader(TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=4)


def trainer(logger: Any, **options: Any) -> Any:
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(logger=logger, accelerator="cpu", devices=1, log_every_n_steps=1, **quiet, **options)


def test_every_step_of_a_training_arrives_and_a_checkpoint_goes_on_with_it(
    logger: Callable[..., Any], found: Callable[[str], Any]
) -> None:
    first, model = logger(experiment="lines", name="first"), Line()
    checkpoints = pl.callbacks.ModelCheckpoint(save_last=True)
    training = trainer(first, max_epochs=2, callbacks=[pl.callbacks.LearningRateMonitor(), checkpoints])
    training.fit(model, batches(), batches())
    stored = found(first.version)
    assert stored.points("train/loss_step") == model.losses
    assert [step for step, _ in model.losses] == list(range(20))
    assert [value for _, value in stored.points("lr-SGD")] == [0.1 * 0.5 ** (step // 5) for step in range(20)]
    assert [step for step, _ in stored.points("val/loss")] == [9, 19]
    assert {value for _, value in stored.points("epoch")} == {0.0, 1.0}
    row = stored.row
    assert (row["name"], row["status"], row["params.lr"], row["params.width"]) == ("first", "FINISHED", "0.1", "4")
    assert first.experiment.problems == {}

    again, more = logger(id=first.version, resume=True), Line()
    trainer(again, max_epochs=3).fit(more, batches(), batches(), ckpt_path=checkpoints.last_model_path)
    assert [step for step, _ in more.losses] == list(range(20, 30))
    assert stored.points("train/loss_step") == model.losses + more.losses
    assert stored.row["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("out of luck"), "FAILED"), (KeyboardInterrupt(), "KILLED")], ids=["error", "^C"]
)
def test_a_run_says_what_ended_its_training(
    logger: Callable[..., Any], found: Callable[[str], Any], error: BaseException, status: str
) -> None:
    mine = logger()
    training = trainer(mine, max_epochs=1, callbacks=[Ending(error)])
    with contextlib.suppress(RuntimeError, SystemExit, KeyboardInterrupt):  # versions differ in what they let out
        training.fit(Line(), batches())
    row = found(mine.version).row
    assert row["status"] == status
    assert row["status_reason"].startswith(type(error).__name__)
    assert [step for step, _ in found(mine.version).points("train/loss_step")][:2] == [0, 1]


def test_an_evaluation_goes_on_with_the_run(logger: Callable[..., Any], found: Callable[[str], Any]) -> None:
    mine, model = logger(), Line()
    training = trainer(mine, max_epochs=1)
    training.fit(model, batches())
    training.validate(model, batches(), verbose=False)
    assert len(found(mine.version).points("val/loss")) == 1
    assert found(mine.version).row["status"] == "FINISHED"


SEVERAL = """
import sys

sys.path[:0] = sys.argv[1:3]
import pytorch_lightning as pl

pl.LightningModule._register_sharded_tensor_state_dict_hooks_if_available = lambda self: None
from contract.frameworks.test_lightning import Line, batches
from stepwell.client.integrations.lightning import StepwellLogger

if __name__ == "__main__":
    logger = StepwellLogger(id=sys.argv[3])
    training = pl.Trainer(
        logger=logger, accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, log_every_n_steps=1,
        enable_progress_bar=False, enable_model_summary=False,
    )
    training.fit(Line(), batches())
    assert (logger.version is None) == (training.global_rank > 0)
"""


def test_of_several_processes_the_first_alone_writes(tmp_path: Path, found: Callable[[str], Any]) -> None:
    program = tmp_path / "several.py"
    program.write_text(SEVERAL)
    tests = Path(__file__).parents[2]
    run_id = uuid4().hex
    command = [sys.executable, str(program), str(tests), str(tests.parent / "src"), run_id]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert [step for step, _ in found(run_id).points("train/loss_step")] == list(range(5))
    assert found(run_id).row["status"] == "FINISHED"
