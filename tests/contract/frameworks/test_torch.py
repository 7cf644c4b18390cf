"""Values of PyTorch, and its SummaryWriter beside ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.tensorboard import SummaryWriter as Theirs


def test_tensors_are_kept_as_they_were(stepwell: Any, found: Callable[[str], Any]) -> None:
    weight = torch.tensor(1.5, requires_grad=True)
    changing = torch.tensor([1.0])
    values: dict[str, Any] = {
        "bf16": torch.tensor(1.5, dtype=torch.bfloat16),
        "f16": torch.tensor(0.5, dtype=torch.float16),
        "f32": torch.tensor(0.1),
        "f64": torch.tensor(0.1, dtype=torch.float64),
        "int8": torch.tensor(-7, dtype=torch.int8),
        "bool": torch.tensor(True),
        "graph": weight * 2,
        "parameter": torch.nn.Parameter(torch.tensor(2.25)),
        "one": torch.tensor([[4.5]]),
        "changing": changing,
        "numpy": np.float32(0.1),
        "array": np.array(2.5),
    }
    with stepwell.init() as run:
        run.log(values, step=torch.tensor(3))
        changing += 5
        run.log({"many": torch.ones(3), "nowhere": torch.empty(1, device="meta"), "complex": torch.tensor(1 + 2j)})
    assert {name: found(run.id).points(name) for name in values} == {
        name: [(3, 1.0 if name == "changing" else float(value))] for name, value in values.items()
    }
    assert sorted(problem.partition(":")[0] for problem in run.problems) == ["complex", "many", "nowhere"]


def taken(writer: Any, name: str) -> Any:
    return inspect.signature(getattr(writer, name))


@pytest.mark.parametrize("name", ["__init__", "add_scalar", "add_scalars", "add_text", "add_hparams", "flush", "close"])
def test_a_writer_takes_what_theirs_does_in_their_order(stepwell: Any, name: str) -> None:
    from stepwell.client.integrations.tensorboard import SummaryWriter

    parameters = list(taken(Theirs, name).parameters)
    taken(SummaryWriter, name).bind(*parameters)
    taken(SummaryWriter, name).bind(parameters[0], **{each: each for each in parameters[1:]})


def test_whatever_else_theirs_adds_stops_nothing(stepwell: Any, found: Callable[[str], Any]) -> None:
    from stepwell.client.integrations.tensorboard import SummaryWriter

    ours = SummaryWriter("runs/one", "", 5)
    assert ours.get_logdir() == ours.log_dir == "runs/one"
    others = {name for name in dir(Theirs) if name.startswith("add_")} - set(dir(SummaryWriter))
    assert len(others) > 10
    for name in others:
        getattr(ours, name)("tag", torch.ones(3), 7)
    ours.add_scalar("loss", torch.tensor(0.25), torch.tensor(2), 1_700_000_000.5, True, False)
    ours.add_text("note", "a text", 2, 1_700_000_001.0)
    ours.close()
    ours.add_scalar("loss", 0.5, 3)  # theirs opens again, too
    ours.close()
    assert found(ours.run.id).points("loss") == [(2, 0.25), (3, 0.5)]
    assert found(ours.run.id).row["status"] == "FINISHED"
