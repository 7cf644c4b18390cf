"""What is fuzzed: decoders of bytes, and whole requests of each dialect.

A target is asked with bytes alone, so that what was found once is a file, and a test for ever.
"""

from __future__ import annotations

import json
import random
import struct
import tempfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import zstandard

from fuzzing import mutation
from inside import Inside
from stepwell.app import build_app
from stepwell.core import page
from stepwell.core.buckets import Buckets
from stepwell.core.clock import system_clock
from stepwell.core.errors import StepwellError
from stepwell.core.filter_grammar import parse_filter, parse_order, render
from stepwell.core.filters import RUNS
from stepwell.core.series import Points
from stepwell.core.summary import Summary
from stepwell.dialects.native import raw, translate, wire
from stepwell.dialects.native.decoding import Decoder as Shape
from stepwell.services import ingest
from stepwell.services.sealing import ServerKey, new_key
from stepwell.settings import Settings
from stepwell.storage import open_store
from stepwell.storage.catalog import summaries
from stepwell.storage.embedded import codec, journal, nodes
from stepwell.storage.embedded.packing import Packer
from stepwell.web.work import Work

CAPTURES: Final = Path(__file__).resolve().parents[1] / "contract"
RAW_HEAD: Final = Shape(wire.RawPointsWrite)
MEANT: Final = (501, 503, 507)  # not known here, not now, no room: each says so

RUN, OTHER = "f" * 32, "e" * 32
HOLES: Final = {"{run}": RUN, "{other}": OTHER, "{experiment}": "0", "{suffix}": "x", "{model}": "m-" + "a" * 32}


class Target(ABC):
    """Something that takes bytes of anybody."""

    @abstractmethod
    def make(self, rng: random.Random) -> bytes:
        """Bad input, most of the time."""

    @abstractmethod
    def run(self, data: bytes) -> None:
        """Whatever it raises is a bug."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""


class Decoder(Target):
    """A function that answers or refuses."""

    def __init__(
        self, ask: Callable[[bytes], object], seeds: Sequence[bytes], *, seal: Callable[[bytes], bytes] = bytes
    ) -> None:
        """`seal`: puts a right checksum on what was changed, half of the time, to get behind the check."""
        self._ask = ask
        self._seeds = seeds
        self._seal = seal

    def make(self, rng: random.Random) -> bytes:
        data = mutation.of_bytes(rng.choice(self._seeds), rng)
        return self._seal(data) if rng.random() < 0.8 else data

    def run(self, data: bytes) -> None:
        with suppress(StepwellError, zstandard.ZstdError):
            self._ask(data)

    def close(self) -> None:
        """Nothing."""


class Requests(Target):
    """Requests of one dialect to a whole server; none leads to a failure."""

    def __init__(self, seeds: Sequence[dict[str, Any]], *, auth: str = "off") -> None:
        self._seeds = seeds
        self._folder = tempfile.TemporaryDirectory(prefix="stepwell-fuzz-")
        directory = Path(self._folder.name) / "data"
        self._store, self._work = open_store(directory, clock=system_clock), Work(readers=2, writers=2)
        app = build_app(Settings(data_dir=directory, auth=auth), self._store, work=self._work, key=ServerKey(new_key()))
        self._inside = Inside(app)
        for seed in seeds:  # what they name is there
            self.run(mutation.dumped(seed))

    def make(self, rng: random.Random) -> bytes:
        seed = json.loads(json.dumps(rng.choice(self._seeds)))
        kind = rng.randrange(4)
        if kind == 0:
            seed["target"] = mutation.of_text(seed["target"], rng).replace("\n", "").lstrip() or "/"
        elif kind == 1 and seed["headers"]:
            name = rng.choice(list(seed["headers"]))
            seed["headers"][name] = mutation.of_text(seed["headers"][name], rng)
        elif isinstance(seed["body"], str):
            seed["body"] = mutation.of_text(seed["body"], rng)
        elif kind == 2:
            seed["body"] = mutation.of_bytes(mutation.dumped(seed["body"]), rng).decode("latin-1")
        else:
            seed["body"] = mutation.of_json(seed["body"], rng)
        return mutation.dumped(seed)

    def run(self, data: bytes) -> None:
        asked = json.loads(data)
        body = asked["body"]
        sent = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else mutation.dumped(body)
        target = asked["target"].encode("utf-8", "replace").decode("utf-8")
        target = target if target.startswith("/") else f"/{target}"
        headers = {name: value.encode("utf-8", "replace").decode("utf-8") for name, value in asked["headers"].items()}
        answer = self._inside.ask(asked["verb"], target, headers=headers, body=b"" if body is None else sent)
        assert answer.status < 500 or answer.status in MEANT, (answer.status, answer.body[:300])

    def close(self) -> None:
        self._inside.close()
        self._work.close()
        self._store.close()
        self._folder.cleanup()


def _request(verb: str, target: str, body: Any = None, **headers: str) -> dict[str, Any]:
    return {"verb": verb, "target": target, "headers": {"content-type": "application/json", **headers}, "body": body}


def _captured(dialect: str) -> list[dict[str, Any]]:
    """Requests that the vendor's client once sent."""
    found = [_request("POST", "/api/v1/runs", {"id": run}) for run in (RUN, OTHER)]
    for line in (CAPTURES / dialect / "captures" / "pairs.jsonl").read_text("utf-8").splitlines():
        for hole, name in HOLES.items():
            line = line.replace(hole, name)  # noqa: PLW2901
        pair = json.loads(line)
        verb, _, target = pair["request"].partition(" ")
        found.append(_request(verb, target, pair.get("body"), **pair.get("headers", {})))
    return found


def _oracle() -> list[dict[str, Any]]:
    """MLflow's requests where Oracle has them, and the header that tells a request from one sent again."""
    base = "/20260430/aiDataPlatforms/platform/workspaces/default/mlops/api/2.0/"
    moved = [
        {**each, "target": base + each["target"].removeprefix("/api/2.0/"), "headers": {
            **each["headers"], **({"opc-retry-token": "once"} if "/create" in each["target"] else {})}}
        for each in _captured("mlflow") if each["target"].startswith("/api/2.0/")
    ]  # fmt: skip
    models = "/20260430/aiDataPlatforms/platform/mlops/api/2.0"
    return [
        *(_request("POST", "/api/v1/runs", {"id": run}) for run in (RUN, OTHER)),
        *moved,
        _request("GET", f"{models}/registered-models/summary?limit=5&page="),
        _request("POST", f"{models}/model-deployments/search", {"max_results": 5, "filter": "name = 'a'"}),
        _request("POST", f"{models}/mlflow/registered-models/m/actions/managePermission", {"permissions": ["READ"]}),
    ]


def _conversation() -> list[dict[str, Any]]:
    lines = (CAPTURES / "pluto" / "captures" / "conversation.jsonl").read_text("utf-8").splitlines()
    sent = [json.loads(line) for line in lines]
    return [_request(each["method"], each["path"], each["body"], **each["headers"]) for each in sent]


def _native() -> list[dict[str, Any]]:
    api = "/api/v1"
    points = {"metric": "loss", "steps": [1, 2, 3], "values": [0.5, "NaN", 1e308], "times_us": [1, 2, 3]}
    labelled = {"metric": "acc", "steps": [1], "values": [1], "labels": {"rank": "0"}}
    window = {"min_step": 0, "max_step": 9, "min_time_us": 0, "max_time_us": 9}
    series = [{"run_id": "r", "metric": "loss", "labels": {}}]
    columns = {"metrics": "*", "params": ["lr"], "tags": []}
    packed = _headed([{"metric": "loss", "rows": 1}], struct.pack("<qdq", 1, 2.0, 3)).decode("ascii")
    return [
        _request("POST", f"{api}/experiments", {"name": "e", "tags": {"a": "b"}}),
        _request("POST", f"{api}/runs", {"id": "r", "name": "n", "params": {"lr": "1"}, "tags": {"t": "v"}}),
        _request("POST", f"{api}/runs/r/points", {"series": [points, labelled], "params": {"lr": "1"}}),
        _request("POST", f"{api}/runs/r/points", packed, **{"content-type": raw.POINTS}),
        _request("PATCH", f"{api}/runs/r", {"status": "FINISHED", "tags": {"t": "w"}, "end_time_us": 5}),
        _request("POST", f"{api}/runs/search", {"filter": "metrics.loss > 0.1", "order_by": ["metrics.loss DESC"],
                                                "limit": 5, "columns": columns, "cursor": ""}),
        _request("POST", f"{api}/buckets", {"series": series, "window": window, "budget": 10, "columns": []}),
        _request("POST", f"{api}/deltas", {"series": [{**series[0], "since": "", "min_step": 1}], "limit": 10}),
        _request("POST", f"{api}/label-sets", {"run_ids": ["r"]}),
        _request("POST", f"{api}/summaries", {"run_ids": ["r"], "metrics": ["loss"], "columns": ["count"]}),
        _request("POST", f"{api}/runs/r/logs", {"lines": [{"text": "hello", "stream": "stdout", "time_us": 1}]}),
        _request("POST", f"{api}/runs/r/events", {"events": [{"kind": "k", "text": "t", "time_us": 1}]}),
        _request("GET", f"{api}/runs/r/points?metric=loss&min_step=1&limit=2&label=rank=0&cursor="),
        _request("GET", f"{api}/experiments?filter=name%20LIKE%20%27a%25%27&order_by=name&limit=3"),
        _request("GET", f"{api}/buckets?run_id=r&metric=loss&budget=5", accept="application/octet-stream"),
        _request("GET", f"{api}/names?kind=metrics&contains=l&limit=5&experiment_id=0"),
        _request("PUT", f"{api}/runs/r/artifacts/a/b.txt", "content"),
        _request("GET", f"{api}/runs/r/artifacts/a/b.txt"),
        _request("PUT", f"{api}/views/v", {"address": "#/runs"}),
        _request("PUT", f"{api}/retention", {"points_days": 30, "experiment_id": 0}),
        _request("PUT", f"{api}/quotas", {"workspace": "elsewhere", "file_bytes": 10**12}),
        _request("GET", f"{api}/audit?action=run&since_us=1&limit=5&cursor="),
    ]  # fmt: skip


def _proofs() -> list[dict[str, Any]]:
    """Whatever may stand where a caller proves who it is."""
    signed = _captured("modelarts")
    path, date = "/api/v1/workspaces", "Sat, 21 Nov 2026 00:00:00 GMT"
    covered = 'algorithm="rsa-sha256",headers="date (request-target) host"'
    oci = f'Signature version="1",keyId="t/u/f",{covered},signature="aa=="'
    return [
        *signed,
        _request("GET", path, authorization=oci, date=date),
        _request("GET", path, authorization="Basic aWQ6c2VjcmV0"),
        _request("GET", path, authorization="Bearer sw_" + "x" * 40),
        _request("GET", path, **{"x-auth-token": "abc.def.ghi"}),
        _request("POST", "/oauth/token", "grant_type=client_credentials&client_id=a&client_secret=b",
                 **{"content-type": "application/x-www-form-urlencoded"}),
    ]  # fmt: skip


@cache
def _points() -> Points:
    rng = np.random.default_rng(1)
    steps = np.arange(300)
    zeros = np.zeros(300, np.int64)
    return Points(step=steps, time=steps * 7, value=rng.normal(size=300), occurrence=zeros, arrival=steps)


def _block(data: bytes) -> None:
    codec.decode(data, Packer())


def _crc(data: bytes) -> bytes:
    """The last four bytes are the CRC-32 of the rest."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4])) if len(data) > 4 else data


def _nodes() -> bytes:
    edges = np.array([0, 100, 300])
    return nodes.encode(nodes.NodeTable.of(Buckets.of(_points(), edges)), Packer())


def _journal_row() -> bytes:
    columns = np.arange(75, dtype=np.int64).reshape(5, 15)
    return journal.Compressor().encode(columns, first_arrival=7)


def _raw_body(*, times: bool = True) -> bytes:
    points = _points()
    loss, acc = {"metric": "loss", "rows": 200, "times_us": times}, {"metric": "acc", "rows": 100, "labels": {"a": "b"}}
    columns = (points.step, points.value, points.time if times else points.time[200:])
    return _headed([loss, acc], b"".join(column.tobytes() for column in columns))


def _headed(series: list[dict[str, Any]], cells: bytes) -> bytes:
    head = json.dumps({"series": series, "params": {"lr": "1"}, "status": "FINISHED"}).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + cells


def _raw_points(data: bytes) -> None:
    """What is read is as long in all columns, and has no place out of its series."""
    head, cells = raw.points(data)
    write = translate.raw_points_write(RUN, RAW_HEAD.body(head), cells, now=0)
    ingest.check_write(write)
    if (points := write.points) is not None:
        assert len({len(each) for each in (points.which, points.step, points.time, points.value)}) == 1
        assert not len(points) or 0 <= points.which.min() <= points.which.max() < len(points.series)


def _filter(data: bytes) -> None:
    """What was read is read again from what it is written as."""
    text = data.decode("utf-8", "replace")
    found = parse_filter(text, schema=RUNS)
    assert parse_filter(render(found), schema=RUNS) == found


def _order(data: bytes) -> None:
    parse_order(data.decode("utf-8", "replace").split(","), schema=RUNS)


FILTERS: Final = (
    b"metrics.loss > 0.5 AND params.lr = '0.1'",
    b"tags.`a b` LIKE '%x%' and attributes.status IN ('RUNNING', 'FAILED')",
    b'attributes.start_time >= 1700000000000 AND metrics."val/acc" != 1e-3',
)
TARGETS: Final[dict[str, Callable[[], Target]]] = {
    "block": lambda: Decoder(_block, [codec.encode(_points(), Packer())], seal=_crc),
    "nodes": lambda: Decoder(lambda data: nodes.decode(data, Packer()), [_nodes()], seal=_crc),
    "journal": lambda: Decoder(lambda data: journal.Compressor().decode(data, first_arrival=7), [_journal_row()]),
    "summary": lambda: Decoder(summaries.decode, [summaries.encode(Summary.of(_points()))], seal=_crc),
    "cursor": lambda: Decoder(
        lambda data: page.decode("runs", "q", data.decode("latin-1")),
        [(page.encode("runs", "q", (1, "a")) or "").encode()],
    ),
    "points": lambda: Decoder(_raw_points, [_raw_body(), _raw_body(times=False)]),
    "filter": lambda: Decoder(_filter, FILTERS),
    "order": lambda: Decoder(_order, [b"metrics.loss DESC,attributes.start_time ASC,params.lr"]),
    "native": lambda: Requests(_native()),
    "mlflow": lambda: Requests(_captured("mlflow")),
    "oracle": lambda: Requests(_oracle()),
    "sap": lambda: Requests(_captured("sap")),
    "modelarts": lambda: Requests(_captured("modelarts")),
    "pluto": lambda: Requests(_conversation()),
    "proofs": lambda: Requests(_proofs(), auth="required"),
}
