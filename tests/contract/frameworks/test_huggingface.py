"""The callback under Hugging Face's own Trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments


class Listening(TrainerCallback):
    """Keeps what is logged, with its step."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[tuple[int, dict[str, Any]]] = []
        self._error = error

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.heard.append((state.global_step, dict(logs)))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._error is not None and state.global_step == 3:
            raise self._error

    def of(self, name: str) -> list[tuple[int, float]]:
        """The points of one of them."""
        return [(step, logs[name]) for step, logs in self.heard if name in logs]


@pytest.fixture
def callback(stepwell: Any) -> Callable[..., Any]:
    """Makes a callback."""
    from stepwell.client.integrations.huggingface import StepwellCallback

    return StepwellCallback


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Any:
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    examples = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(i % 2)} for i in range(32)]
    arguments = TrainingArguments(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=8,
        logging_steps=1,
        eval_strategy="epoch",
        save_strategy="epoch",
        report_to=[],
        disable_tqdm=True,
        learning_rate=1e-2,
        hub_token="of nobody else's concern",
        **options,
    )
    return Trainer(
        model=BertForSequenceClassification(config),
        args=arguments,
        train_dataset=examples,
        eval_dataset=examples[:8],
        callbacks=list(callbacks),
    )


def test_all_that_a_training_logs_arrives_and_it_goes_on_from_a_checkpoint(
    callback: Callable[..., Any], found: Callable[[str], Any], tmp_path: Path
) -> None:
    mine, ear = callback(experiment="bert"), Listening()
    training = trainer(tmp_path, mine, ear, num_train_epochs=2, run_name="first")
    training.train()
    stored = found(mine.run.id)
    for theirs, ours in (("loss", "train/loss"), ("learning_rate", "train/learning_rate"), ("eval_loss", "eval/loss")):
        assert stored.points(ours) == ear.of(theirs)
    assert len(ear.of("loss")) == 8
    assert stored.points("train/epoch")[-1] == (8, 2.0)
    row = stored.row
    assert (row["name"], row["status"], row["params.train.learning_rate"]) == ("first", "FINISHED", "0.01")
    assert row["params.model.hidden_size"] == "16"
    assert "of nobody else's concern" not in row.values()

    training.evaluate()  # by itself, when the run has ended
    assert stored.points("eval/loss") == ear.of("eval_loss")
    assert len(ear.of("eval_loss")) == 3
    assert stored.row["status"] == "FINISHED"
    assert mine.run.problems == {}

    again, later = callback(id=mine.run.id, resume=True), Listening()
    trainer(tmp_path, again, later, num_train_epochs=3).train(resume_from_checkpoint=True)
    assert [step for step, _ in later.of("loss")] == [9, 10, 11, 12]
    assert stored.points("train/loss") == ear.of("loss") + later.of("loss")
    assert again.run.problems == {}
    assert list((tmp_path / "spool").rglob("refused.jsonl")) == []


def test_an_evaluation_needs_no_training(
    callback: Callable[..., Any], found: Callable[[str], Any], tmp_path: Path
) -> None:
    mine, ear = callback(), Listening()
    trainer(tmp_path, mine, ear, num_train_epochs=1).evaluate()
    assert found(mine.run.id).points("eval/loss") == ear.of("eval_loss")
    assert found(mine.run.id).row["status"] == "FINISHED"


def test_a_training_that_fails_is_one_in_a_block(
    stepwell: Any, callback: Callable[..., Any], found: Callable[[str], Any], tmp_path: Path
) -> None:
    ear = Listening(RuntimeError("out of luck"))
    with pytest.raises(RuntimeError, match="out of luck"), stepwell.init() as run:
        trainer(tmp_path, callback(run), ear, num_train_epochs=1).train()
    row = found(run.id).row
    assert (row["status"], row["status_reason"]) == ("FAILED", "RuntimeError: out of luck")
    assert found(run.id).points("train/loss") == ear.of("loss")
    assert row["params.model.hidden_size"] == "16"
