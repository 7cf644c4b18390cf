"""What users do with Pluto's own client, against a server process: log, finish, resume, fork, query, files."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving import Server

if TYPE_CHECKING:
    from pluto.query import Client

    from contract.pluto.conftest import Raw, Training

PROJECT = "client tests"
EVERYTHING = """
import numpy as np
config = {"lr": 0.1, "model": {"depth": 3}}
often = {"x_sys_sampling_interval": 1}
run = pluto.init(project="client tests", name="all of it", config=config, tags=["first", "group:x"], settings=often)
for step in range(30):
    run.log({"train/loss": 1 / (step + 1), "acc": step / 30, "one": np.float32(0.5)}, step=step)
run.log({"odd": float("nan")}, step=0)
run.log({"odd": float("inf")}, step=1)
run.log({"odd": float("-inf")}, step=2)
run.log({"odd": 4.0}, step=3)
run.log({"phase": "warm up"}, step=5)
run.log({"weights": pluto.Histogram([1, 2, 2, 3])}, step=6)
run.log({"table": pluto.Table(data=[[1, 2], [3, 4]], headers=["a", "b"])}, step=6)
run.log({"words": pluto.Text("some words", caption="said")}, step=7)
Path("model.bin").write_bytes(bytes(range(256)) * 5000)
run.log({"models/last": pluto.Artifact("model.bin")}, step=8)
run.log({"look": [pluto.Image(np.full((4, 4, 3), 9, np.uint8), caption="first"),
                  pluto.Image(np.zeros((4, 4, 3), np.uint8), caption="second")]}, step=9)
print("said to the console")
print("complained to the console", file=sys.stderr)
run.add_tags(["later"])
run.remove_tags(["first"])
run.update_config({"epochs": 3, "model": {"width": 8}})
run.alert(message="look here", title="an alert", level="WARN", remote=True)
time.sleep(3)
run.finish()
told["id"] = run.settings._op_id
told["address"] = run.settings.url_view
"""
# Refused, it asks as often as it always does, but without the seconds between.
REFUSED = 'pluto.init(project="p", name="n", settings={"x_file_stream_retry_wait_max_seconds": 0.05})\n'


@pytest.fixture(scope="module")
def trained(training: Training) -> dict[str, Any]:
    """One run that logged everything."""
    return training.good(EVERYTHING)


def test_scalars_come_back_exactly(query: Client, trained: dict[str, Any]) -> None:
    frame = query.get_metrics(PROJECT, trained["id"], metric_names=["train/loss", "acc", "one"])
    loss = frame[frame.metric == "train/loss"]
    assert loss.step.tolist() == list(range(30))
    assert loss.value.tolist() == [1 / (step + 1) for step in range(30)]
    assert set(loss.logGroup) == {"train"}
    assert frame[frame.metric == "acc"].value.tolist() == [step / 30 for step in range(30)]
    assert frame[frame.metric == "one"].value.tolist() == [0.5] * 30
    assert loss.time.str.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}").all()


def test_a_window_and_a_limit(query: Client, trained: dict[str, Any]) -> None:
    window = query.get_metrics(PROJECT, trained["id"], ["acc"], step_min=10, step_max=19)
    assert window.step.tolist() == list(range(10, 20))
    few = query.get_metrics(PROJECT, trained["id"], ["acc"], limit=7)
    assert len(few) <= 7
    assert few.step.tolist()[0] == 0
    assert few.step.tolist()[-1] == 29
    assert query.get_metrics(PROJECT, trained["id"], ["no such metric"]).empty


def test_what_json_has_no_number_for(query: Client, trained: dict[str, Any]) -> None:
    odd = query.get_metrics(PROJECT, trained["id"], ["odd"])
    assert odd.valueFlag.tolist() == ["NaN", "Inf", "-Inf", ""]
    assert odd.value.tolist() == [0, 0, 0, 4]


def test_the_run_itself(query: Client, trained: dict[str, Any]) -> None:
    run = query.get_run(PROJECT, trained["id"])
    assert run["status"] == "COMPLETED"
    assert run["name"] == "all of it"
    assert run["projectName"] == PROJECT
    assert run["config"] == {"lr": 0.1, "model": {"depth": 3, "width": 8}, "epochs": 3}
    assert run["tags"] == ["group:x", "later"]
    assert run["systemMetadata"]["cpu"]["virtual"] > 0
    assert run["loggerSettings"]["pluto_version"] == "0.0.29"
    types = {each["logName"]: each["logType"] for each in run["logNames"]}
    assert types["train/loss"] == "METRIC"
    assert types["weights"] == "HISTOGRAM"
    assert types["table"] == "TABLE"
    assert types["phase"] == "DATA"
    assert types["words"] == "TEXT"
    assert types["look"] == "IMAGE"
    assert types["models/last"] == "ARTIFACT"
    assert run["url"] == trained["address"]
    assert query.get_run(PROJECT, run["displayId"])["id"] == trained["id"]


def test_system_metrics(query: Client, trained: dict[str, Any]) -> None:
    names = query.get_metric_names(PROJECT, run_ids=[trained["id"]])
    assert {"sys/cpu.percentage.0", "sys/memory.used", "sys/disk.used", "train/loss"} <= set(names)
    frame = query.get_metrics(PROJECT, trained["id"], ["sys/memory.used"])
    assert frame.step.tolist()[:2] == [1, 2]
    assert (frame.value > 0).all()
    assert query.get_metric_names(PROJECT, search="LOSS") == ["train/loss"]


def test_statistics(query: Client, trained: dict[str, Any]) -> None:
    (acc,) = query.get_statistics(PROJECT, trained["id"], ["acc"])["metrics"]
    values = [step / 30 for step in range(30)]
    mean = math.fsum(values) / 30
    assert acc["count"] == 30
    assert (acc["min"], acc["max"]) == (0.0, 29 / 30)
    assert acc["mean"] == pytest.approx(mean, rel=1e-12)
    assert acc["stddev"] == pytest.approx(math.sqrt(math.fsum((x - mean) ** 2 for x in values) / 30), rel=1e-12)
    assert acc["last"] == {"step": 29, "value": 29 / 30}
    (odd,) = query.get_statistics(PROJECT, trained["id"], ["odd"])["metrics"]
    assert (odd["count"], odd["last"]) == (1, {"step": 3, "value": 4})


def test_files_come_back_as_they_went(query: Client, trained: dict[str, Any], tmp_path: Path) -> None:
    files = [file for file in query.get_files(PROJECT, trained["id"]) if file["logName"] != "later/settings"]
    assert [(file["logName"], file["step"]) for file in files] == [
        ("words", 7),
        ("models/last", 8),
        ("look", 9),
        ("look", 9),
    ]
    assert [file["caption"] for file in files] == ["said", None, "first", "second"]
    assert files[1]["logGroup"] == "models"
    assert files[1]["fileSize"] == 256 * 5000
    got = query.download_file(PROJECT, trained["id"], "models/last", tmp_path / "got.bin")
    assert got.read_bytes() == bytes(range(256)) * 5000
    words = query.download_file(PROJECT, trained["id"], "words", tmp_path / "got.txt")
    assert words.read_text() == "some words"


def test_a_file_is_attached_later(query: Client, trained: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "settings.yaml"
    source.write_text("lr: 0.1\n")
    query.upload_file(PROJECT, trained["id"], "later/settings", source, caption="late")
    (file,) = query.get_files(PROJECT, trained["id"], file_name="later/settings")
    assert (file["fileName"], file["caption"], file["fileSize"]) == ("settings.yaml", "late", 8)
    got = query.download_file(PROJECT, trained["id"], "later/settings", tmp_path / "got.yaml")
    assert got.read_text() == "lr: 0.1\n"


def test_console_lines(query: Client, trained: dict[str, Any]) -> None:
    said = [line["message"] for line in query.get_logs(PROJECT, trained["id"], log_type="INFO")]
    assert "said to the console" in said
    complaints = query.get_logs(PROJECT, trained["id"], log_type="ERROR")
    assert "complained to the console" in [line["message"] for line in complaints]
    numbers = [line["lineNumber"] for line in complaints]
    assert numbers == sorted(numbers)


def test_projects_and_lists(query: Client, trained: dict[str, Any]) -> None:
    (project,) = [each for each in query.list_projects() if each["name"] == PROJECT]
    assert project["runCount"] >= 1
    for filters in (
        {"state": "finished"},
        {"$and": [{"config.model.depth": {"$gte": 3}}, {"tags": {"$in": ["later"]}}]},
        {"$or": [{"state": "crashed"}, {"summaryMetrics.acc": {"$gt": 0.9}}]},
        {"$not": {"name": "another"}},
        {"name": {"$regex": "^ALL.*it$"}},
    ):
        assert trained["id"] in [run["id"] for run in query.list_runs(PROJECT, filters=filters)], filters
    assert query.list_runs(PROJECT, filters={"config.lr": {"$gt": 0.1}}, search="all of it") == []


def test_how_runs_end(training: Training, query: Client, name: Callable[[], str]) -> None:
    project = name()
    begin = f'run = pluto.init(project={project!r}, name="n", settings={{"disable_system_metrics": True}})\n'
    begin += 'run.log({"x": 1.0})\nPath(os.environ["TOLD"]).write_text(json.dumps({"id": run.settings._op_id}))\n'
    bad = training.run(begin + "raise ValueError('training failed')\n")
    assert bad.status == 1
    assert query.get_run(project, bad.told["id"])["status"] == "FAILED"
    coded = training.good(begin + "run.finish(code=1)\ntold['id'] = run.settings._op_id\n")
    assert query.get_run(project, coded["id"])["status"] == "FAILED"
    ended = training.start(begin + "time.sleep(60)\n")
    deadline = time.monotonic() + 60
    while not (ended.home / "told.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    ended.send_signal(signal.SIGTERM)
    killed = training.end(ended)
    assert query.get_run(project, killed.told["id"])["status"] == "TERMINATED"
    # The process that sends lives on until it has sent everything.
    while query.get_metrics(project, killed.told["id"]).empty and time.monotonic() < deadline:
        time.sleep(0.2)
    assert query.get_metrics(project, killed.told["id"]).value.tolist() == [1.0]


def test_a_run_goes_on(training: Training, query: Client, name: Callable[[], str]) -> None:
    project = name()
    first = training.good(
        f'run = pluto.init(project={project!r}, name="n", run_id="my-run", config={{"a": {{"b": 1}}}})\n'
        'run.log({"x": 1.0}, step=1)\nprint("first time")\nrun.finish()\ntold["id"] = run.settings._op_id\n'
    )
    display = query.get_run(project, first["id"])["displayId"]
    refused = training.run(f'pluto.init(project={project!r}, name="n", run_id="my-run")\n')
    assert refused.status == 1
    assert "RunExistsError" in refused.output
    for step, run_id in enumerate(["my-run", first["id"], str(first["id"]), display], 2):
        again = training.good(
            f'run = pluto.init(project={project!r}, name="n", run_id={run_id!r}, resume=True)\n'
            f'run.log({{"x": {step}.0}}, step={step})\nprint("time {step}")\nrun.finish()\n'
            'told["id"] = run.settings._op_id\n'
        )
        assert again["id"] == first["id"]
    assert query.get_metrics(project, first["id"], ["x"]).value.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    run = query.get_run(project, first["id"])
    assert (run["status"], run["externalId"], run["config"]) == ("COMPLETED", "my-run", {"a": {"b": 1}})
    said = {line["message"] for line in query.get_logs(project, first["id"], log_type="INFO")}
    assert {"first time", "time 2", "time 3", "time 4", "time 5"} <= said
    assert len(query.list_runs(project)) == 1


def test_the_user_reads_why_a_run_was_refused(training: Training, name: Callable[[], str]) -> None:
    refused = training.run(f'pluto.init(project={name()!r}, name="n", tags=["group:a", "group:b"])\n')
    assert refused.status == 1
    assert "RuntimeError: Failed to create run: A run can have at most one group:* tag.\n" in refused.output


def test_many_processes_of_one_run(training: Training, query: Client, name: Callable[[], str]) -> None:
    project = name()
    code = (
        f'run = pluto.init(project={project!r}, name="n", config={{"node" + os.environ["NODE"]: 1}})\n'
        'run.log({"node/" + os.environ["NODE"]: 1.0}, step=1)\nprint("from " + os.environ["NODE"])\n'
        'run.finish()\ntold["id"] = run.settings._op_id\n'
    )
    nodes = [training.start(code, PLUTO_RUN_ID="shared", NODE=str(node)) for node in range(3)]
    ids = {training.end(node).told["id"] for node in nodes}
    assert len(ids) == 1
    (run_id,) = ids
    assert query.get_run(project, run_id)["config"] == {"node0": 1, "node1": 1, "node2": 1}
    frame = query.get_metrics(project, run_id)
    assert {"node/0", "node/1", "node/2"} <= set(frame.metric)
    said = {line["message"] for line in query.get_logs(project, run_id, log_type="INFO")}
    assert {"from 0", "from 1", "from 2"} <= said


def test_a_fork(training: Training, query: Client, name: Callable[[], str]) -> None:
    project = name()
    told = training.good(
        f'one = pluto.init(project={project!r}, name="one", config={{"a": 1, "b": {{"c": 2}}}}, tags=["t"])\n'
        'one.log({"x": 1.0}, step=1)\none.finish()\n'
        f'two = pluto.init(project={project!r}, name="two", fork_run_id=one.settings._op_id, fork_step=1, '
        'config={"b": {"d": 3}}, inherit_tags=True)\n'
        'two.log({"x": 2.0}, step=2)\ntwo.finish()\n'
        'told["one"], told["two"] = one.settings._op_id, two.settings._op_id\n'
    )
    fork = query.get_run(project, told["two"])
    assert (fork["forkedFromRunId"], fork["forkStep"]) == (told["one"], 1)
    assert fork["config"] == {"a": 1, "b": {"c": 2, "d": 3}}
    assert fork["tags"] == ["t"]
    assert query.get_metrics(project, told["two"], ["x"]).value.tolist() == [2.0]


def test_a_run_is_cancelled_from_outside(training: Training, raw: Raw, name: Callable[[], str]) -> None:
    project = name()
    process = training.start(
        f'run = pluto.init(project={project!r}, name="n")\n'
        'Path(os.environ["TOLD"]).write_text(json.dumps({"id": run.settings._op_id}))\ntime.sleep(60)\n'
    )
    deadline = time.monotonic() + 60
    while not (process.home / "told.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    run_id = json.loads((process.home / "told.json").read_text())["id"]
    raw.post("/api/runs/status/update", runId=run_id, status="CANCELLED")
    ended = training.end(process)
    assert ended.status == signal.SIGINT.value
    assert raw.details(run_id)["status"] == "CANCELLED"


def test_a_key_that_is_wrong_is_told_to_the_user(
    serve: Callable[..., Server], training: Training, tmp_path: Path
) -> None:
    server = serve("--auth", "required")
    made = json.loads(run_cli(server, "credential", "create", "--workspace", "team", "--role", "writer"))
    training = type(training)(server.url, tmp_path)
    wrong = training.run(REFUSED, key="mlps_wrong")
    assert wrong.status == 1
    assert "authentication failed (HTTP 401)" in wrong.output
    assert "The server says:" in wrong.output
    told = training.good(
        'run = pluto.init(project="p", name="n")\nrun.log({"x": 1.0})\nrun.finish()\n'
        'told["id"] = run.settings._op_id\nimport pluto.query as pq\n'
        'told["values"] = pq.get_metrics("p", told["id"], ["x"]).value.tolist()\n'
        'told["organization"] = pq.get_run("p", told["id"])["status"]\n',
        key=made["secret"],
    )
    assert told["values"] == [1.0]
    run_cli(server, "credential", "revoke", made["id"])
    time.sleep(1)
    revoked = training.run(REFUSED, key=made["secret"])
    assert revoked.status == 1
    assert "revoked" in revoked.output


def run_cli(server: Server, *args: str) -> str:
    import subprocess

    command = [str(server.program), *args, *server.place]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
