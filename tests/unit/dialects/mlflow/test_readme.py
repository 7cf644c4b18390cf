"""The tables of the dialect's README are the code's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from stepwell.dialects import mlflow
from stepwell.dialects.mlflow import lineage_wire, models_wire, registry_wire, wire
from stepwell.dialects.mlflow.decoding import Reader
from stepwell.dialects.mlflow.forms import Unreadable

README = Path(mlflow.__file__).with_name("README.md").read_text()
Place: TypeAlias = tuple[type[msgspec.Struct], str]

DOUBLES: list[Place] = [(wire.LogMetric, "value"), (wire.MetricIn, "value")]
INTEGERS: list[Place] = [
    (wire.LogMetric, "timestamp"),
    (wire.LogMetric, "step"),
    (wire.MetricIn, "timestamp"),
    (wire.MetricIn, "step"),
    (wire.CreateRun, "start_time"),
    (wire.UpdateRun, "end_time"),
    (wire.SearchRuns, "max_results"),
    (wire.SearchExperiments, "max_results"),
    (wire.GetHistory, "max_results"),
    (wire.GetHistoryBulk, "max_results"),
    (wire.GetHistoryInterval, "max_results"),
    (wire.GetHistoryInterval, "start_step"),
    (wire.GetHistoryInterval, "end_step"),
    (lineage_wire.ModelOutput, "step"),
    (models_wire.SearchModels, "max_results"),
    (registry_wire.Search, "max_results"),
    (registry_wire.SearchVersions, "max_results"),
]
REQUESTS = [
    shape
    for module in (wire, lineage_wire, models_wire, registry_wire)
    for shape in vars(module).values()
    if isinstance(shape, type)
    and issubclass(shape, msgspec.Struct)
    and shape.__doc__
    and re.match("(POST|GET|PATCH|DELETE) ", shape.__doc__)
] + [wire.MetricIn, lineage_wire.ModelOutput]
FORMS = re.findall(r"^\| `(.+)` \| (yes|no) \| (yes|no) \|$", README, re.MULTILINE)


def reads(shape: type[msgspec.Struct], field: str, form: str) -> bool:
    """Whether a message with this form in this field, and something good in the others, can be read."""
    good = {"key": '"k"', "value": "1", "timestamp": "1", "run_id": '"r"', "metric_key": '"k"', "model_id": '"m"'}
    if shape is wire.GetHistoryBulk:
        good["run_id"] = '["r"]'
    names = {f.name for f in msgspec.structs.fields(shape)}
    message = {name: text for name, text in good.items() if name in names} | {field: form}
    body = "{" + ",".join(f'"{name}":{text}' for name, text in message.items()) + "}"
    where = field
    if shape is wire.MetricIn:
        body, shape, where = '{"run_id":"r","metrics":[' + body + "]}", wire.LogBatch, f"metrics[0].{field}"
    if shape is lineage_wire.ModelOutput:
        body, shape, where = '{"run_id":"r","models":[' + body + "]}", lineage_wire.LogOutputs, f"models[0].{field}"
    refused: Unreadable | None = None
    try:
        Reader(shape).body(body.encode())
    except Unreadable as error:
        refused = error
    assert refused is None or (refused.field == where and f"'{where}'" in refused.message)
    return refused is None


def test_the_table_of_forms_was_found() -> None:
    assert len(FORMS) > 25


@pytest.mark.parametrize(("form", "double", "integer"), FORMS)
def test_a_field_takes_the_forms_that_the_table_says(form: str, double: str, integer: str) -> None:
    for shape, field in DOUBLES:
        assert reads(shape, field, form) is (double == "yes"), (shape, field)
    for shape, field in INTEGERS:
        assert reads(shape, field, form) is (integer == "yes"), (shape, field)


def test_every_number_of_every_request_is_in_the_test() -> None:
    found = set()
    for shape in REQUESTS:
        for field in msgspec.structs.fields(shape):
            text = str(field.type)
            if field.type is float or ("int" in text and "str" not in text):
                found.add((shape, field.name))
    assert found == {*DOUBLES, *INTEGERS}


def test_every_number_of_every_request_is_in_the_readme() -> None:
    fields = "".join(re.findall(r"^\| (.*`\w+`.*) \| (?:double|integer) \|", README, re.MULTILINE))
    named = set(re.findall(r"`(\w+)`", fields))
    assert named == {field for _, field in [*DOUBLES, *INTEGERS]}


def test_a_query_argument_takes_the_text_of_an_integer_only() -> None:
    reader = Reader(wire.GetHistory)
    assert reader.query({"metric_key": ["k"], "max_results": ["123"]}).max_results == 123
    for text in ("abc", "", "12.0", "1e3", "NaN", "true", "9223372036854775808", " 1", "[1]"):
        with pytest.raises(Unreadable, match="max_results"):
            reader.query({"metric_key": ["k"], "max_results": [text]})


def test_every_endpoint_is_in_the_readme_and_nothing_else() -> None:
    served = set()
    for route in mlflow.dialect().routes:
        path = re.sub(r"^/(?:ajax-)?api/[23]\.0", "", route.path)
        served.add(f"{route.verb} {path}")
    named = set(re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) \S+)` \|", README, re.MULTILINE))
    assert named == served


def test_the_forms_are_json_or_one_of_its_common_extensions() -> None:
    for form, _, _ in FORMS:
        json.loads(form)
