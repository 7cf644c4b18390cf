"""The registry's changes: in step with each other, whatever others change meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepwell.core.entities import ModelVersion, RegisteredModel, Stage
from stepwell.core.errors import AlreadyExists, Busy, Corrupt, Invalid, NotFound, TooLarge
from stepwell.services import registry, registry_search
from unit.services.recorded import Recorded, W


@pytest.fixture
def held() -> Recorded:
    """A store with the registered model "m"."""
    held = Recorded()
    registry.create_model(held.store, workspace=W, name="m", tags={"a": "1"}, at=10)
    return held


def version(held: Recorded, name: str = "m", run_id: str = "") -> int:
    new = ModelVersion(model_key="", number=0, source="s", storage_uri="s", run_id=run_id, created_at=20, updated_at=20)
    return registry.create_version(held.store, workspace=W, name=name, new=new).version.number


def model(held: Recorded, name: str = "m") -> RegisteredModel:
    return registry.get_model(held.store, workspace=W, name=name)


def test_a_change_is_begun_anew_when_another_came_before(held: Recorded) -> None:
    def other() -> None:
        registry.change_model_tags(held.store, workspace=W, name="m", set_tags={"b": "2"}, at=30)

    held.between.append(other)
    registry.change_model_tags(held.store, workspace=W, name="m", set_tags={"c": "3"}, remove=["a"], at=20)
    assert (model(held).tags, model(held).updated_at) == ({"b": "2", "c": "3"}, 30)


def test_a_change_that_others_never_let_happen_is_given_up(held: Recorded) -> None:
    count = 0

    def other() -> None:
        nonlocal count
        count += 1
        (key,) = [key for key in held.held if key[0] == registry.MODEL]
        held.held[key] = replace(held.held[key], updated_at=count)
        held.between.append(other)

    held.between.append(other)
    with pytest.raises(Busy):
        registry.change_model_tags(held.store, workspace=W, name="m", set_tags={"c": "3"}, at=20)
    assert count == 50


def test_versions_made_at_once_have_numbers_of_their_own(held: Recorded) -> None:
    held.between.append(lambda: version(held))
    assert version(held) == 2
    assert [v.number for v in registry.versions_of(held.store, workspace=W, model=model(held))] == [1, 2]
    assert (model(held).last_version, model(held).updated_at) == (2, 20)


def test_a_model_has_so_many_versions_and_no_more(held: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.core.limits.VERSIONS_PER_MODEL", 1)
    assert version(held) == 1
    with pytest.raises(TooLarge):
        version(held)


def test_a_model_goes_with_all_its_versions(held: Recorded) -> None:
    for _ in range(5):
        version(held)
    registry.create_model(held.store, workspace=W, name="n", tags={}, at=10)
    version(held, "n")
    held.between.append(lambda: version(held))  # a version that comes while the model goes
    registry.delete_model(held.store, workspace=W, name="m")
    assert sorted(kind for kind, _ in held.held) == [registry.VERSION, registry.MODEL]
    with pytest.raises(NotFound):
        registry.get_version(held.store, workspace=W, name="m", number=1)


def test_an_alias_goes_with_its_version(held: Recorded) -> None:
    version(held)
    version(held)
    for alias, number in (("a", 1), ("b", 1), ("c", 2)):
        registry.set_alias(held.store, workspace=W, name="m", alias=alias, number=number, at=5)
    assert registry.get_version(held.store, workspace=W, name="m", number=1).aliases == ("a", "b")
    registry.delete_version(held.store, workspace=W, name="m", number=1, at=50)
    assert (model(held).aliases, model(held).updated_at) == ({"c": 2}, 50)
    with pytest.raises(Invalid):
        registry.get_by_alias(held.store, workspace=W, name="m", alias="a")
    with pytest.raises(NotFound):
        registry.get_by_alias(held.store, workspace=W, name="none", alias="a")
    with pytest.raises(NotFound):
        registry.set_alias(held.store, workspace=W, name="m", alias="a", number=9, at=1)


def test_others_in_a_stage_are_archived(held: Recorded) -> None:
    for _ in range(3):
        version(held)
    for number, archive in ((1, False), (2, False), (3, True)):
        registry.change_version(
            held.store,
            workspace=W,
            name="m",
            number=number,
            change=lambda v: replace(v, stage=Stage.PRODUCTION),
            at=60,
            archive=archive,
        )
    latest = registry.latest_versions(held.store, workspace=W, model=model(held))
    assert [(each.version.number, each.version.stage) for each in latest] == [
        (3, Stage.PRODUCTION),
        (2, Stage.ARCHIVED),
    ]


def test_a_name_that_is_taken_stays(held: Recorded) -> None:
    registry.create_model(held.store, workspace=W, name="n", tags={}, at=1)
    with pytest.raises(AlreadyExists):
        registry.create_model(held.store, workspace=W, name="n", tags={}, at=2)
    with pytest.raises(AlreadyExists):
        registry.change_model(held.store, workspace=W, name="m", change=lambda old: replace(old, name="n"), at=3)
    assert model(held).name == "m"


def test_damage_is_told(held: Recorded) -> None:
    (key,) = held.held
    for body in ("", "[]", "{}", '{"key": 1}'):
        held.held[key] = replace(held.held[key], body=body)
        with pytest.raises(Corrupt, match="registered_model"):
            model(held)


def test_a_search_shows_what_is_assumed_unless_it_asks(held: Recorded) -> None:
    registry.create_model(held.store, workspace=W, name="p", tags={"hidden": "true"}, at=10)

    def names(text: str = "") -> list[str]:
        found, _ = registry_search.search_models(
            held.store, workspace=W, filter=text, limit=9, assumed={"hidden": "false"}
        )
        return [each.name for each in found]

    assert names() == names("tags.hidden != 'true'") == ["m"]
    assert names("tags.hidden = 'true'") == ["p"]
    assert names("name LIKE '%'") == ["m"]
    assert names("tags.hidden LIKE '%'") == ["m", "p"]


def test_times_of_a_search_are_in_the_unit_that_is_told(held: Recorded) -> None:
    registry.create_model(held.store, workspace=W, name="late", tags={}, at=5_999)
    assert held.pages == 0
    for milliseconds, text in ((True, "creation_time = 5"), (False, "creation_time = 5999")):
        found, _ = registry_search.search_models(
            held.store, workspace=W, filter=text, limit=9, milliseconds=milliseconds
        )
        assert [each.name for each in found] == ["late"]


def test_a_version_is_found_by_the_values_it_is_indexed_by(held: Recorded) -> None:
    registry.create_model(held.store, workspace=W, name="n", tags={}, at=1)
    for name, run in (("m", "r1"), ("m", "r2"), ("n", "r1")):
        version(held, name, run_id=run)

    def found(text: str) -> list[tuple[str, int]]:
        versions, _ = registry_search.search_versions(held.store, workspace=W, filter=text, limit=9)
        return [(each.name, each.version.number) for each in versions]

    assert found("") == [("m", 2), ("m", 1), ("n", 1)]
    assert found("run_id = 'r1'") == [("m", 1), ("n", 1)]
    assert found("name = 'm' AND run_id = 'r2'") == [("m", 2)]
    assert found("name = 'm' AND name = 'n'") == found("name = 'none'") == []
    assert found("name = ''") == []
    assert found("run_id != 'r1'") == found("run_id NOT IN ('r1', 'r3')") == [("m", 2)]
    version(held, "n")
    assert found("run_id != 'r1' AND name = 'n'") == found("run_id = ''") == [("n", 2)]


def test_versions_that_an_order_does_not_part_go_by_name_and_number(held: Recorded) -> None:
    registry.create_model(held.store, workspace=W, name="a", tags={}, at=1)
    for name in ("a", "m", "a"):
        version(held, name)

    def found(*order: str) -> list[tuple[str, int]]:
        versions, _ = registry_search.search_versions(held.store, workspace=W, order=order, limit=9)
        return [(each.name, each.version.number) for each in versions]

    registry.change_version_tags(held.store, workspace=W, name="m", number=1, set_tags={"t": "1"}, at=99)
    assert found() == [("m", 1), ("a", 2), ("a", 1)]
    assert found("version_number DESC") == [("a", 2), ("a", 1), ("m", 1)]
    assert found("name DESC") == [("m", 1), ("a", 2), ("a", 1)]
