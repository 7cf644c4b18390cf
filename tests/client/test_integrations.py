"""The client under training libraries. TensorBoard's writer needs none of them.

Lightning's and Hugging Face's are stood in for here, with the few classes that the integrations use: both need torch,
gigabytes of it. They call the integrations as the real Trainers do, which are in tests/contract/frameworks.
"""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import stepwell
from client.conftest import Stored
from serving import Server
from stepwell.client.integrations.tensorboard import SummaryWriter


@pytest.fixture(autouse=True)
def place(shared_server: Server, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_URL", shared_server.url)
    monkeypatch.setenv("STEPWELL_SPOOL", str(spool))


def counts(stored: Stored, run_id: str) -> dict[str, int]:
    found = stored.run(run_id)["metrics"]
    return dict(zip(found["metric"], found["count"], strict=True))


def test_a_summary_writer_writes_a_run(stored: Stored) -> None:
    with SummaryWriter("runs/first", comment="-b", flush_secs=5, params={"seed": 1}) as writer:
        for step in range(10):
            writer.add_scalar("loss", step / 4, step, walltime=1_700_000_000 + step / 2, new_style=True)
        writer.add_scalars("acc", {"train": 0.5, "valid": 0.25}, 3)
        writer.add_hparams({"lr": 0.1}, {"hparam/best": 0.9})
        writer.flush()
    found = stored.run(writer.run.id)
    assert (found["run"]["name"], found["run"]["status"]) == ("runs/first-b", "FINISHED")
    assert found["params"] == {"seed": "1", "lr": "0.1"}
    assert counts(stored, writer.run.id) == {"loss": 10, "acc/train": 1, "acc/valid": 1, "hparam/best": 1}
    page = stored.get(f"/runs/{writer.run.id}/points?metric=loss")
    assert page["times_us"] == [1_700_000_000_000_000 + step * 500_000 for step in range(10)]
    assert page["values"] == [step / 4 for step in range(10)]
    assert writer.run.problems == {}


def test_what_a_summary_writer_does_not_keep_stops_nothing(stored: Stored) -> None:
    run = stepwell.init()
    writer = SummaryWriter(run=run)
    writer.add_histogram("h", object(), 1)
    writer.add_image("i", None)
    writer.add_scalar("loss", 1.0, 0)
    writer.close()
    assert not run.ended  # it was given
    with pytest.raises(AttributeError):
        writer.all_writers  # noqa: B018  the look alone
    assert run.finish()
    assert counts(stored, run.id) == {"loss": 1}
    assert sorted(problem.partition(" ")[0] for problem in run.problems) == [
        "SummaryWriter.add_histogram",
        "SummaryWriter.add_image",
    ]


def test_a_summary_writer_takes_arguments_in_torchs_order_and_opens_again(stored: Stored) -> None:
    writer = SummaryWriter("runs/one", "-c", 5, 10, 120, ".suffix")
    assert writer.get_logdir() == writer.log_dir == "runs/one-c"
    writer.add_scalar("loss", 1.0, 0, 1_700_000_000.0, True, True)
    writer.add_text("note", "a text", 3, 1_700_000_001.5)
    writer.add_hparams({"lr": 1}, {"best": 2.0}, None, "name", 4)
    writer.close()
    writer.add_scalar("loss", 2.0, 1)
    writer.close()
    assert counts(stored, writer.run.id) == {"loss": 2, "best": 1}
    assert stored.get(f"/runs/{writer.run.id}/points?metric=best")["steps"] == [4]
    assert stored.run(writer.run.id)["run"]["status"] == "FINISHED"
    events = stored.get(f"/runs/{writer.run.id}/events")
    assert (events["text"], events["time_us"]) == (["a text"], [1_700_000_001_500_000])


def test_a_disabled_writer_begins_nothing_anew(spool: Path) -> None:
    writer = SummaryWriter(mode="disabled")
    run = writer.run
    writer.add_scalar("loss", 1.0, 0)
    assert writer.run is run
    writer.close()
    assert not spool.exists()


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def lightning(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The integration, with Lightning under one of its two names."""

    class Logger:
        pass

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    parts = request.param.split(".")
    modules = [".".join(parts[: i + 1]) for i in range(len(parts))]
    modules += [f"{request.param}.{rest}" for rest in ("loggers", "loggers.logger", "utilities", "utilities.rank_zero")]
    for name in modules:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    vars(sys.modules[f"{request.param}.loggers.logger"]).update(Logger=Logger, rank_zero_experiment=keep)
    vars(sys.modules[f"{request.param}.utilities.rank_zero"]).update(rank_zero_only=keep)
    name = "stepwell.client.integrations.lightning"
    sys.modules.pop(name, None)
    yield importlib.import_module(name)
    del sys.modules[name]


def test_a_lightning_training_is_a_run(lightning: Any, stored: Stored) -> None:
    logger = lightning.StepwellLogger(experiment="lightning", prefix="x")
    assert (logger.name, logger.version) == ("lightning", None)
    logger.log_hyperparams(Namespace(width=3, optimizer={"lr": 0.1}))
    for step in range(5):
        logger.log_metrics({"loss": step / 2, "epoch": 0}, step=step)
    logger.save()
    logger.finalize("success")
    assert stored.run(logger.version)["run"]["status"] == "FINISHED"
    logger.log_metrics({"loss": 9.0}, step=5)  # trainer.test() after trainer.fit()
    logger.finalize("failed")
    found = stored.run(logger.version)
    assert found["run"]["status"] == "FAILED"
    assert found["params"] == {"width": "3", "optimizer.lr": "0.1"}
    assert counts(stored, logger.version) == {"x/loss": 6, "x/epoch": 5}


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("why"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_lightning_says_failed_and_the_run_what_it_was(
    lightning: Any, stored: Stored, error: BaseException, status: str
) -> None:
    logger = lightning.StepwellLogger()
    logger.log_metrics({"loss": 1.0}, step=0)
    try:
        raise error
    except type(error):
        logger.finalize("failed")  # as the Trainer does, for both
    found = stored.run(logger.version)["run"]
    assert (found["status"], found["status_reason"]) == (status, f"{type(error).__name__}: {error}")


def test_a_given_run_is_not_ended_by_lightning(lightning: Any) -> None:
    run = stepwell.init()
    logger = lightning.StepwellLogger(run)
    logger.log_metrics({"loss": 1.0})
    logger.finalize("success")
    assert not run.ended
    assert run.finish()


@pytest.fixture
def huggingface(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The integration, with a stand-in for transformers."""
    transformers: Any = ModuleType("transformers")
    transformers.TrainerCallback = type("TrainerCallback", (), {})
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    name = "stepwell.client.integrations.huggingface"
    sys.modules.pop(name, None)
    yield importlib.import_module(name)
    del sys.modules[name]


def config(**fields: Any) -> Any:
    return SimpleNamespace(to_dict=lambda: fields)


def test_a_hugging_face_training_is_a_run(huggingface: Any, stored: Stored) -> None:
    callback = huggingface.StepwellCallback(experiment="hf", name="mine")
    state = SimpleNamespace(is_world_process_zero=True, global_step=0)
    args = config(learning_rate=0.1, hub_token="secret", push_to_hub_token="secret")
    callback.on_train_begin(args, state, None, model=SimpleNamespace(config=config(hidden=16, pad_token_id=0)))
    for step in range(1, 4):
        state.global_step = step
        callback.on_log(args, state, None, logs={"loss": 1 / step, "epoch": 0.5, "note": "text"})
    callback.on_log(args, state, None, logs={"eval_loss": 0.25})
    callback.on_train_end(args, state, None)
    found = stored.run(callback.run.id)
    assert (found["run"]["name"], found["run"]["status"]) == ("mine", "FINISHED")
    assert found["params"] == {"train.learning_rate": "0.1", "model.hidden": "16", "model.pad_token_id": "0"}
    assert counts(stored, callback.run.id) == {"train/loss": 3, "train/epoch": 3, "eval/loss": 1}
    callback.on_log(args, state, None, logs={"eval_loss": 0.125})  # evaluated by itself, after the training
    found = stored.run(callback.run.id)
    assert found["run"]["status"] == "FINISHED"
    assert counts(stored, callback.run.id)["eval/loss"] == 2
    callback.on_train_begin(args, state, None)  # again, with the same callback
    callback.on_train_end(args, state, None)
    assert callback.run.id == found["run"]["id"]


def test_only_the_main_process_of_a_hugging_face_training_logs(huggingface: Any, spool: Path) -> None:
    callback = huggingface.StepwellCallback()
    state = SimpleNamespace(is_world_process_zero=False, global_step=0)
    callback.on_train_begin(config(), state, None)
    callback.on_log(config(), state, None, logs={"loss": 1.0})
    callback.on_train_end(config(), state, None)
    assert callback.run is None
    assert not spool.exists()


def test_a_notebook_shows_a_run_with_all_texts_escaped() -> None:
    with stepwell.init(params={"<b>": "<i>x</i>"}) as run:
        run.log({"<script>": 0.5, "bad": "no"}, step=7)
        html = run._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "&lt;i&gt;x&lt;/i&gt;" in html
    assert f'href="{run.url}"' in html
    assert "<th>step</th><td>7</td>" in html
