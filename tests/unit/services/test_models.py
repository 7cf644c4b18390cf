"""Models that runs made, and the points that measured them: kept, changed, found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import pytest

from stepwell.core.entities import DatasetChoice, LoggedModel, ModelOrder, ModelPoint, ModelStatus
from stepwell.core.errors import Conflict, Invalid, NotFound
from stepwell.core.model import Lifecycle, PointBatch, RunWrite
from stepwell.core.series import value_key
from stepwell.services import lineage, models
from unit.services.recorded import Recorded, W


class Measured(Recorded):
    """Writes to runs bring their records along."""

    def write(self, *, workspace: str, writes: Sequence[RunWrite]) -> Future[None]:
        """By the promises of the interface, for records."""
        for each in writes:
            self.put_records(workspace=workspace, records=each.records)
        done: Future[None] = Future()
        done.set_result(None)
        return done


@pytest.fixture
def held() -> Measured:
    """A store with the models a, b and c of experiment 0, and d of experiment 1."""
    held = Measured()
    for i, (name, experiment) in enumerate((("a", 0), ("b", 0), ("c", 0), ("d", 1))):
        new = LoggedModel(
            id=f"m-{name}", experiment_id=experiment, name=name, params={"p": "1"}, created_at=i, updated_at=i
        )
        models.create(held.store, workspace=W, new=new)
    return held


def point(model: str, metric: str, value: float, *, step: int = 0, time: int = 0, dataset: str = "") -> ModelPoint:
    return ModelPoint(
        model_id=f"m-{model}", run_id="r", metric=metric, step=step, time=time, value=value, dataset_name=dataset
    )


def measure(held: Measured, *points: ModelPoint) -> None:
    batch = PointBatch.single("x", step=0, time=0, value=0.0)
    write = RunWrite(run_id="r", points=batch, at=1)
    lineage.write_measured(held.store, workspace=W, write=write, points=points).result()


def found(held: Measured, text: str = "", *, experiments: Sequence[int] = (0,), **options: object) -> list[str]:
    chosen, _ = models.search(
        held.store, workspace=W, experiment_ids=experiments, filter=text, limit=9, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return [each.name for each in chosen]


def test_points_come_back_exactly_and_once(held: Measured) -> None:
    values = [0.1, -0.0, math.nan, math.inf, -math.inf, 5e-324]
    points = [point("a", "k", value, step=i, time=7) for i, value in enumerate(values)]
    measure(held, *points, point("b", "k", 1.0), points[0])
    kept = set(held.held)
    measure(held, *points[::-1], point("b", "k", 1.0))  # the same again, in another order
    assert set(held.held) == kept
    measure(held, *points[:2])  # some of them again, in a request of their own
    back = lineage.points_of_model(held.store, workspace=W, model_id="m-a")
    assert [(each.step, value_key(each.value)) for each in back] == [(i, value_key(v)) for i, v in enumerate(values)]
    assert {each.run_id for each in back} == {"r"}
    assert lineage.points_of_model(held.store, workspace=W, model_id="m-c") == []


def test_a_model_that_is_not_there_is_not_measured(held: Measured) -> None:
    kept = set(held.held)
    with pytest.raises(NotFound, match="m-x"):
        measure(held, point("a", "k", 1.0), point("x", "k", 1.0))
    assert set(held.held) == kept


def test_a_comparison_holds_for_one_point_on_one_of_the_data_sets(held: Measured) -> None:
    measure(held, point("a", "acc", 0.9, dataset="train"), point("a", "acc", 0.5, step=1, dataset="test"))
    measure(held, point("b", "acc", 0.8, dataset="train"), point("c", "loss", math.nan))
    assert found(held, "metrics.acc > 0.7") == ["b", "a"]
    assert found(held, "metrics.acc < 0.6 AND metrics.acc > 0.7") == ["a"]
    test = [DatasetChoice(name="test")]
    assert found(held, "metrics.acc > 0.7", datasets=test) == []
    assert found(held, datasets=test) == ["a"]
    assert found(held, datasets=[DatasetChoice(name="train", digest="other")]) == []
    assert found(held, "metrics.loss != 1") == ["c"]
    assert found(held, "metrics.loss > 0") == []


def test_an_order_goes_by_the_latest_point_of_its_data_set(held: Measured) -> None:
    for name, early, late in (("a", 1.0, 3.0), ("b", 2.0, 2.0)):
        measure(held, point(name, "acc", early, time=1, dataset="train"))
        measure(held, point(name, "acc", late, time=2, dataset="test"))
    by = ModelOrder(text="metrics.acc")
    train = replace(by, dataset=DatasetChoice(name="train"))
    assert found(held, order=[by]) == ["b", "a", "c"]
    assert found(held, order=[replace(by, descending=True)]) == ["a", "b", "c"]
    assert found(held, order=[train]) == ["a", "b", "c"]
    assert found(held, order=[ModelOrder(text="params.p"), replace(train, descending=True)]) == ["b", "a", "c"]


def test_a_search_sees_the_experiments_that_it_names(held: Measured) -> None:
    assert found(held, experiments=(1, 0, 1)) == ["d", "c", "b", "a"]
    assert found(held, "name = 'a' AND name = 'b'") == []
    assert found(held, experiments=()) == []
    models.delete(held.store, workspace=W, model_id="m-b", at=9)
    assert found(held) == ["c", "a"]


def test_pages_follow_each_other(held: Measured) -> None:
    names: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = models.search(held.store, workspace=W, experiment_ids=[0, 1], limit=1, cursor=cursor)
        names += [each.name for each in page]
        if cursor is None:
            break
    assert names == ["d", "c", "b", "a"]
    _, cursor = models.search(held.store, workspace=W, experiment_ids=[0, 1], limit=1)
    with pytest.raises(Invalid, match="another query"):
        models.search(held.store, workspace=W, experiment_ids=[0], limit=1, cursor=cursor)


def test_a_change_keeps_what_others_change(held: Measured) -> None:
    held.between.append(
        lambda: models.set_tags(held.store, workspace=W, model_id="m-a", tags={"x": "1", "y": "1"}, at=50)
    )
    models.set_tags(held.store, workspace=W, model_id="m-a", tags={"y": "2"}, at=40)
    models.add_params(held.store, workspace=W, model_id="m-a", params={"p": "1", "q": "2"}, at=41)
    done = models.set_status(held.store, workspace=W, model_id="m-a", status=ModelStatus.READY, at=42)
    assert (done.tags, done.params, done.status) == ({"x": "1", "y": "2"}, {"p": "1", "q": "2"}, ModelStatus.READY)
    assert done.updated_at == 50  # time does not go back
    with pytest.raises(Invalid, match="'p'"):
        models.add_params(held.store, workspace=W, model_id="m-a", params={"p": "2"}, at=43)
    with pytest.raises(NotFound):
        models.remove_tag(held.store, workspace=W, model_id="m-a", name="none", at=43)


def test_a_deleted_model_is_kept_for_those_who_ask(held: Measured) -> None:
    models.delete(held.store, workspace=W, model_id="m-a", at=9)
    with pytest.raises(NotFound):
        models.get(held.store, workspace=W, model_id="m-a")
    assert models.get(held.store, workspace=W, model_id="m-a", deleted_too=True).lifecycle is Lifecycle.DELETED


def test_a_deleted_experiment_takes_no_models(held: Measured) -> None:
    held.experiments[1] = Lifecycle.DELETED
    new = LoggedModel(id="m-x", experiment_id=1, name="x", created_at=0, updated_at=0)
    with pytest.raises(Conflict):
        models.create(held.store, workspace=W, new=new)
    with pytest.raises(NotFound):
        models.create(held.store, workspace=W, new=replace(new, experiment_id=7))
