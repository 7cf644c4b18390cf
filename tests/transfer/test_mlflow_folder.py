"""Folders of MLflow, file by file. Those that its own client made: tests/contract/mlflow."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stepwell.transfer import yaml_scalars
from transfer.conftest import Program, Stored

# libyaml writes what Unicode counts as ends of lines (but no text of a person has) in ways of its own.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029"), max_size=300)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,20}", fullmatch=True), st.none() | TEXTS), st.booleans())
def test_what_mlflow_writes_as_yaml_is_read(about: dict[str, str | None], in_c: bool) -> None:
    dumper = yaml.CSafeDumper if in_c else yaml.SafeDumper
    more = {**about, "zz_list": ["a: b"], "zz_none": [], "zz_map": {"a": "b"}}
    text = yaml.dump(more, default_flow_style=False, allow_unicode=True, Dumper=dumper)
    assert {name: each for name, each in yaml_scalars.read(text).items() if not name.startswith("zz_")} == about


def written(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def of_run(run_id: str, **more: Any) -> str:
    told = {"run_id": run_id, "status": 3, "start_time": 5, "run_name": "r", "lifecycle_stage": "active", **more}
    return str(yaml.dump(told))


def test_what_is_old_damaged_or_half_written(program: Program, stored: Stored, tmp_path: Path) -> None:
    ids, name = [uuid4().hex for _ in range(4)], uuid4().hex
    written(
        tmp_path / "mlruns",
        {
            "1/meta.yaml": yaml.dump({"experiment_id": "1", "name": name}),
            f"1/{ids[0]}/meta.yaml": yaml.dump({"run_uuid": ids[0], "status": 5, "name": "old", "start_time": 7}),
            f"1/{ids[0]}/metrics/a/b": "1 0.5\n2 0.25 7 data digest\nwhat\n3 nan 8\n4 0.1",
            f"1/{ids[0]}/tags/mlflow.user": "ann",
            f"1/{ids[0]}/artifacts/a/b.txt": "kept",
            f"1/{ids[3]}/artifacts/c": "not where it was",
            f"1/{ids[1]}/meta.yaml": of_run(ids[1], lifecycle_stage="deleted"),
            f"1/{ids[2]}/meta.yaml": of_run(ids[2], start_time="yesterday"),
            f"1/{ids[3]}/meta.yaml": of_run(ids[3], end_time=None, artifact_uri="file:///nowhere/c"),
            "1/models/m/meta.yaml": "name: m\n",
            ".trash/2/meta.yaml": "name: gone\n",
        },
    )
    done = program("import", "mlflow", tmp_path)
    assert done.status == 1
    assert "2 runs with 1 series and 3 points" in done.out
    assert "b, line 3: 'what' is no point" in done.err
    assert f"{ids[2]}: invalid literal" in done.err
    old = stored.run(ids[0])["run"]
    assert [old[each] for each in ("name", "user", "status", "start_time_us")] == ["old", "ann", "KILLED", 7000]
    assert stored.points(ids[0], "a/b") == [(0, 1000, 0.5), (7, 2000, 0.25), (8, 3000, "NaN")]
    assert stored.runs(name) == [ids[0], ids[3]]
    assert "2 files of 0.0 MB; 0 are on the server already, 2 sent" in done.out
    assert stored.get(f"/runs/{ids[0]}/artifacts", path="a")["path"] == ["a/b.txt"]


def test_what_cannot_be_read_costs_no_other(program: Program, stored: Stored, tmp_path: Path) -> None:
    first, second, name = uuid4().hex, uuid4().hex, uuid4().hex
    written(
        tmp_path,
        {
            "1/meta.yaml": yaml.dump({"experiment_id": "1", "name": name}),
            f"1/{first}/meta.yaml": of_run(first),
            f"1/{first}/metrics/loss": "1 0.5 1\n",
            f"1/{second}/meta.yaml": of_run(second),
            f"1/{second}/params/a": "1",
        },
    )
    for path in ("2/meta.yaml", f"1/{first}/metrics/acc", f"1/{second}/params/b"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).symlink_to("/proc/self/mem")  # of which the first byte is an error
    done = program("import", "mlflow", tmp_path)
    assert (done.status, done.err.count("Input/output error")) == (1, 3)
    assert stored.points(first, "loss") == [(1, 1000, 0.5)]


def test_folders_that_cannot_be_read_are_told(
    program: Program, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, name = uuid4().hex, uuid4().hex
    files = {f"1/{run_id}/meta.yaml": of_run(run_id), f"1/{run_id}/metrics/sub/loss": "1 0.5 1\n", "1/notes.txt": ""}
    written(tmp_path, {"1/meta.yaml": f"name: {name}\n", **files, "no.txt": "", "none/of/ours": ""})
    (tmp_path / "2").symlink_to("2")  # of which nobody gets to see anything, as of a folder of another user's
    closed, scandir = tmp_path / f"1/{run_id}/metrics/sub", os.scandir

    def scan(path: Any = ".") -> Any:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    done = program("import", "mlflow", tmp_path)
    assert done.status == 1
    assert done.err.splitlines() == [
        f"stepwell: {tmp_path / '2/meta.yaml'}: {os.strerror(errno.ELOOP)}",
        f"stepwell: {closed}: {os.strerror(errno.EACCES)}",
    ]
    assert stored.runs(name) == [run_id]


def test_files_that_are_kept_elsewhere_are_counted(program: Program, tmp_path: Path) -> None:
    run_id = uuid4().hex
    files = {"1/meta.yaml": "name: e", f"1/{run_id}/meta.yaml": of_run(run_id, artifact_uri="s3://bucket/1")}
    done = program("import", "mlflow", written(tmp_path / "mlruns", files))
    assert (done.status, "files that are kept elsewhere stay there: s3: (1 runs)" in done.out) == (0, True)


def test_folders_that_are_none_of_mlflow_are_a_wrong_question(program: Program, tmp_path: Path) -> None:
    done = program("import", "mlflow", tmp_path)
    assert (done.status, "no folder of MLflow" in done.err) == (2, True)
    written(tmp_path, {"0/meta.yaml": "name: Default\n"})
    done = program("import", "mlflow", f"file://{tmp_path}", "--only", "other")
    assert (done.status, "there is no experiment 'other'" in done.err) == (2, True)
    assert program("import", "mlflow", tmp_path).status == 0


def test_postgresql_without_its_library_is_a_clear_answer(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = program("import", "mlflow", "postgresql://127.0.0.1/mlflow")
    assert (done.status, done.err) == (2, "stepwell: PostgreSQL needs psycopg: pip install 'stepwell[postgres]'\n")
