"""From records to requests, with a server that is a list of what it refuses."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import struct
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stepwell.client import delivery as delivery_module
from stepwell.client import outbox as outbox_module
from stepwell.client.delivery import Delivery
from stepwell.client.outbox import Outbox, Place
from stepwell.client.records import Group, Note, Points, encode_note, encode_points
from stepwell.client.spool import Spool
from stepwell.client.transport import Denied, Refused, Unanswered, Unavailable

Refuses = Callable[[str, str, Any], "Exception | None"]


WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def unpacked(body: bytes) -> dict[str, Any]:
    """The message of a raw body: written from its description alone."""
    (size,) = struct.unpack_from("<Q", body)
    assert size % 8 == 0
    head: dict[str, Any] = json.loads(body[8 : 8 + size])
    rows = [each["rows"] for each in head["series"]]
    cells = iter(struct.unpack_from(f"<{sum(rows)}q{sum(rows)}d{sum(rows)}q", body, 8 + size))
    assert len(body) == 8 + size + 24 * sum(rows)
    for name in ("steps", "values", "times_us"):
        for each, count in zip(head["series"], rows, strict=True):
            each[name] = [next(cells) for _ in range(count)]
    for each in head["series"]:
        del each["rows"]
        each["values"] = ["NaN" if value != value else WORDS.get(value, value) for value in each["values"]]
    return head


class Server:
    """Takes all that `refuses` has no error for; the raw form unless it is `old`, which is what it says then."""

    def __init__(self, refuses: Refuses = lambda *_: None, *, old: Exception | None = None) -> None:
        self.refuses = refuses
        self.taken: list[tuple[str, str, Any]] = []
        self.tried = 0
        self.old = old
        self.raw = 0

    def send(self, verb: str, path: str, message: Mapping[str, Any]) -> Any:
        self.tried += 1
        error = self.refuses(verb, path, message)
        if error is not None:
            raise error
        self.taken.append((verb, path, json.loads(json.dumps(message))))
        return {"id": 4}

    def get(self, path: str, query: Mapping[str, Any]) -> Any:
        assert path == "/experiments"
        return {"experiments": {"id": [7]}} if query["filter"] == "name = 'it''s'" else {"experiments": {"id": []}}

    def request(self, verb: str, path: str, body: Path | bytes, content_type: str = "") -> Any:
        if isinstance(body, Path):
            self.taken.append((verb, path, body.read_bytes()))
            return None
        assert content_type == "application/vnd.stepwell.points"
        self.raw += 1
        if self.old is not None:
            raise self.old
        return self.send(verb, path, unpacked(body))


def group(metrics: str, *rows: tuple[int, float]) -> Group:
    """Rows of step and value; the time is the step's thousandfold."""
    steps = [step for step, _ in rows]
    return Group(
        tuple(metrics.split()),
        array("q", [step * 1000 for step in steps]),
        array("q", steps),
        tuple(array("d", [value for _, value in rows]) for _ in metrics.split()),
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "box")


def fill(outbox: Outbox, *found: Note | Points) -> None:
    spool = Spool(outbox.folder, encode_note(Note("segment", {"version": 1, "run": "r"})))
    for record in found:
        spool.append(encode_points(record.groups) if isinstance(record, Points) else encode_note(record))
    assert spool.close()


def deliver(outbox: Outbox, server: Server) -> tuple[Delivery, list[str]]:
    told: list[str] = []
    delivery = Delivery(server, "a/b", outbox, told.append)  # type: ignore[arg-type]
    delivery.deliver(ended=True)
    return delivery, told


def test_neighbouring_points_go_together_and_the_order_of_the_rest_is_kept(outbox: Outbox) -> None:
    fill(
        outbox,
        Points((group("a b", (1, 1.0)), group("a", (2, 2.0)))),
        Points((group("b", (3, float("nan"))),)),
        Note("change", {"params": {"x": "1"}}),
        Points((group("a", (4, float("-inf"))),)),
    )
    server = Server()
    delivery, told = deliver(outbox, server)
    assert told == []
    first, change, last = server.taken
    assert first == (
        "POST",
        "/runs/a%2Fb/points",
        {
            "series": [
                {"metric": "a", "steps": [1, 2], "times_us": [1000, 2000], "values": [1.0, 2.0]},
                {"metric": "b", "steps": [1, 3], "times_us": [1000, 3000], "values": [1.0, "NaN"]},
            ]
        },
    )
    assert change == ("PATCH", "/runs/a%2Fb", {"params": {"x": "1"}})
    assert last[2]["series"][0]["values"] == ["-Infinity"]
    assert (delivery.sums.points, delivery.sums.others) == (5, 1)
    assert outbox.unsent_bytes() == 0
    assert not deliver(outbox, server)[0].sums.points
    assert len(server.taken) == 3


def test_large_numbers_whose_sum_is_none_stay_numbers(outbox: Outbox) -> None:
    fill(outbox, Points((group("a", (1, 1.7e308), (2, 1.7e308)),)))
    server = Server()
    deliver(outbox, server)
    assert server.taken[0][2]["series"][0]["values"] == [1.7e308, 1.7e308]


def test_what_cannot_be_sent_now_is_sent_from_where_it_stopped(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "BATCH", 2)
    fill(outbox, *(Points((group("a", (step, 1.0), (step + 1, 1.0)),)) for step in range(0, 10, 2)))
    server = Server(lambda *_: Unavailable("down") if server.tried == 3 else None)
    with pytest.raises(Unavailable):
        deliver(outbox, server)
    deliver(outbox, server)
    assert [message["series"][0]["steps"] for _, _, message in server.taken] == [
        [0, 1], [2, 3], [4, 5], [6, 7], [8, 9],
    ]  # fmt: skip


def test_what_is_sent_is_not_sent_again_where_the_disk_takes_no_mark(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "mark", lambda _: None)
    fill(outbox, Points((group("a", (1, 1.0)),)))
    server = Server()
    delivery, _ = deliver(outbox, server)
    assert not delivery.deliver(ended=True)
    assert len(server.taken) == 1


def test_one_refused_series_costs_no_other(outbox: Outbox) -> None:
    def refuses(verb: str, path: str, message: Any) -> Exception | None:
        bad = any(series["metric"] == "m3" for series in message["series"])
        return Refused(400, "invalid", "m3 is not welcome") if bad else None

    fill(outbox, Points((group(" ".join(f"m{i}" for i in range(8)), (1, 1.0)),)))
    server = Server(refuses)
    delivery, told = deliver(outbox, server)
    sent = sorted(series["metric"] for _, _, message in server.taken for series in message["series"])
    assert sent == ["m0", "m1", "m2", "m4", "m5", "m6", "m7"]
    (kept,) = [json.loads(line) for line in outbox.refused.read_text().splitlines()]
    assert kept["message"] == "m3 is not welcome"
    assert [series["metric"] for series in kept["request"]["body"]["series"]] == ["m3"]
    assert (delivery.sums.refused, len(told)) == (1, 1)
    assert str(outbox.refused) in told[0]


def test_what_is_too_large_is_sent_in_parts(outbox: Outbox) -> None:
    def refuses(verb: str, path: str, message: Any) -> Exception | None:
        large = sum(len(series["steps"]) for series in message["series"]) > 2
        return Refused(413, "body_too_large", "too large") if large else None

    fill(outbox, Points((group("a", *((step, 1.0) for step in range(7))),)))
    server = Server(refuses)
    delivery, told = deliver(outbox, server)
    steps = [step for _, _, message in server.taken for step in message["series"][0]["steps"]]
    assert (steps, told, delivery.sums.points) == (list(range(7)), [], 7)


@pytest.mark.parametrize(
    "old",
    [
        Refused(400, "invalid", "the body is not JSON"),
        Refused(415, "unknown_content_type", "what is this?"),
        Unavailable("no Stepwell answers", status=415),
        Denied("bodies of this kind are not let through", 403),
    ],
)
def test_a_server_that_does_not_know_the_raw_form_gets_json(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, old: Exception
) -> None:
    monkeypatch.setattr(delivery_module, "BATCH", 2)
    rows = [(step, value) for step, value in enumerate([0.1, -0.0, math.inf, -math.inf, 5e-324, 1.7e308])]
    fill(outbox, *(Points((group("a b", *rows[at : at + 2]),)) for at in (0, 2, 4)))
    server, whole = Server(old=old), Server()
    begin = outbox.sent()
    delivery, told = deliver(outbox, server)
    assert (server.raw, len(server.taken), told, delivery.sums.points) == (1, 3, [], 12)  # it is not asked again
    outbox.mark(begin)
    deliver(outbox, whole)
    assert (whole.raw, whole.taken) == (3, server.taken)
    assert "-0.0" in json.dumps(whole.taken)


def test_bad_points_do_not_end_the_raw_form(outbox: Outbox) -> None:
    def refuses(verb: str, path: str, message: Any) -> Exception | None:
        bad = any(each["metric"] == "bad" for each in message.get("series", ()))
        return Refused(400, "invalid", "no") if bad else None

    fill(outbox, Points((group("bad good", (1, 1.0)),)), Note("change", {}), Points((group("good", (2, 1.0)),)))
    server = Server(refuses)
    delivery, _ = deliver(outbox, server)
    assert (delivery.sums.points, delivery.sums.refused) == (2, 1)
    assert [path for _, path, _ in server.taken].count("/runs/a%2Fb/points") == 2
    assert (server.raw, server.tried) == (4, 7)  # what is refused is tried in both forms, what is good in one


@pytest.mark.parametrize("error", [Unavailable("down"), Unavailable("busy", 1.0, 503), Denied("expired", 401)])
def test_what_is_no_answer_to_the_form_is_not_asked_again_at_once(outbox: Outbox, error: Exception) -> None:
    fill(outbox, Points((group("a", (1, 1.0)),)))
    server = Server(lambda *_: error)
    with pytest.raises(type(error)):
        deliver(outbox, server)
    assert (server.raw, server.tried) == (1, 1)


def test_a_run_that_is_gone_is_not_asked_for_series_by_series(outbox: Outbox) -> None:
    fill(outbox, Points((group("a b c d", (1, 1.0)),)))
    server = Server(lambda *_: Refused(404, "not_found", "no run"))
    assert deliver(outbox, server)[0].sums.refused == 1
    assert server.tried == 1


def test_one_refused_param_costs_no_other(outbox: Outbox) -> None:
    def refuses(verb: str, path: str, message: Any) -> Exception | None:
        return Refused(409, "conflict", "it is 1") if "lr" in message.get("params", {}) else None

    fields = {
        "params": {"lr": "2", "b": "3"},
        "set_tags": {"t": "x"},
        "remove_tags": ["u"],
        "name": "n",
        "status": "FAILED",
    }
    fill(outbox, Note("change", fields))
    server = Server(refuses)
    _, told = deliver(outbox, server)
    assert [message for _, _, message in server.taken] == [
        {"params": {"b": "3"}},
        {"set_tags": {"t": "x"}},
        {"remove_tags": ["u"]},
        {"name": "n"},
        {"status": "FAILED"},
    ]
    assert len(told) == 1


def test_what_is_set_aside_is_bounded(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "REFUSED_BYTES", 1000)
    fill(outbox, *(Note("change", {"params": {f"p{at}": "x" * 200}}) for at in range(9)))
    delivery, told = deliver(outbox, Server(lambda *_: Refused(409, "conflict", "no")))
    kept = [json.loads(line)["request"]["body"] for line in outbox.refused.read_text().splitlines()]
    assert kept == [{"params": {f"p{at}": "x" * 200}} for at in range(len(kept))]
    assert 0 < len(kept) < 9
    assert outbox.refused.stat().st_size <= 1000
    assert delivery.sums.refused == 9
    assert [f"not kept in {outbox.refused}: the limit of 1000 bytes" in each for each in told[-2:]] == [True, True]


def test_a_disk_that_keeps_nothing_that_is_refused_holds_nothing_up(outbox: Outbox) -> None:
    fill(outbox, Note("change", {"name": "no"}), Note("change", {"name": "yes"}))
    outbox.refused.symlink_to("/dev/full")
    server = Server(lambda _, __, message: Refused(400, "invalid", "no") if message["name"] == "no" else None)
    _, told = deliver(outbox, server)
    assert [message for _, _, message in server.taken] == [{"name": "yes"}]
    assert f"not kept in {outbox.refused}: {os.strerror(errno.ENOSPC)}" in told[0]


def test_a_run_is_made_once_and_joined_after_that(outbox: Outbox) -> None:
    fields = {"experiment": "it's", "name": "n", "user": "u", "start_time_us": 5, "resume": True}
    fill(outbox, Note("run", fields))
    server = Server(lambda verb, *_: Refused(409, "already_exists", "taken") if verb == "POST" else None)
    _, told = deliver(outbox, server)
    assert (server.taken, told) == ([("PATCH", "/runs/a%2Fb", {"status": "RUNNING"})], [])
    outbox.mark(outbox.sent().__class__(0, 0))
    server = Server()
    deliver(outbox, server)
    assert server.taken == [
        ("POST", "/experiments", {"name": "it's"}),
        ("POST", "/runs", {"id": "a/b", "experiment_id": 4, "name": "n", "user": "u", "start_time_us": 5}),
    ]


def test_a_run_whose_fields_are_refused_is_made_without_them(outbox: Outbox) -> None:
    fill(outbox, Note("run", {"experiment": None, "name": "", "user": "u", "start_time_us": 5, "resume": False}))
    server = Server(lambda verb, path, message: Refused(400, "invalid", "name is empty") if "name" in message else None)
    _, told = deliver(outbox, server)
    assert server.taken == [("POST", "/runs", {"id": "a/b", "start_time_us": 5})]
    assert len(told) == 1


def test_a_copy_of_a_file_goes_once_it_is_sent(outbox: Outbox) -> None:
    fill(outbox, Note("file", {"path": "a b/c", "stored": "1-c"}), Note("file", {"path": "gone", "stored": "2"}))
    copy = outbox.folder / "files" / "1-c"
    copy.parent.mkdir()
    copy.write_bytes(b"content")
    server = Server()
    _, told = deliver(outbox, server)
    assert server.taken == [("PUT", "/runs/a%2Fb/artifacts/a%20b/c", b"content")]
    assert not copy.exists()
    assert len(told) == 1
    assert "'gone'" in told[0]


class Silent(Server):
    """Takes files without a word, and has them afterwards where `keeps`."""

    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self.keeps = keeps
        self.away = False
        self.came = 0

    def request(self, verb: str, path: str, body: Path | bytes, content_type: str = "") -> Any:
        if verb != "PUT":
            return super().request(verb, path, body, content_type)
        self.came += 1
        raise Unanswered("no answer in 60 s")

    def get(self, path: str, query: Mapping[str, Any]) -> Any:
        assert (path, query) == ("/runs/a%2Fb/artifacts", {"path": "x"})
        if self.away:
            raise Unavailable("down")
        there = hashlib.sha256(b"content").hexdigest()
        return {"path": ["x/f"] * self.keeps, "sha256": [there] * self.keeps}


def with_a_file(outbox: Outbox) -> Path:
    fill(outbox, Note("file", {"path": "x/f", "stored": "1-f"}), Note("change", {"name": "behind"}))
    copy = outbox.folder / "files" / "1-f"
    copy.parent.mkdir()
    copy.write_bytes(b"content")
    return copy


def test_a_file_that_arrived_without_an_answer_is_sent_once(outbox: Outbox) -> None:
    copy, server = with_a_file(outbox), Silent(keeps=True)
    _, told = deliver(outbox, server)
    assert (server.came, told, copy.exists()) == (1, [], False)


def test_a_file_that_is_never_answered_is_not_sent_for_ever(outbox: Outbox) -> None:
    copy, server = with_a_file(outbox), Silent(keeps=False)
    told: list[str] = []
    delivery = Delivery(server, "a/b", outbox, told.append)  # type: ignore[arg-type]
    server.away = True
    for _ in range(5):  # a server that answers nothing may come back
        with pytest.raises(Unavailable, match="the file 'x/f' waits, all else is sent: down"):
            delivery.deliver()
    assert [message for _, _, message in server.taken] == [{"name": "behind"}]
    server.away, server.came = False, 0
    for _ in range(2):
        with pytest.raises(Unavailable, match="all else is sent: no answer in 60 s"):
            delivery.deliver()
    assert outbox.unsent_bytes()
    delivery.deliver()
    assert not outbox.unsent_bytes()
    assert (server.came, len(server.taken)) == (3, 1)
    assert copy.read_bytes() == b"content"
    (message,) = told
    assert message.startswith("the file 'x/f' was sent 3 times, and not answered: no answer in 60 s")
    assert str(copy) in message
    assert json.loads(outbox.refused.read_text())["request"]["body"] == {"file": str(copy)}
    assert delivery.sums.refused == 1


def test_a_file_that_is_not_taken_now_holds_nothing_up(outbox: Outbox) -> None:
    class Full(Server):
        full = True
        puts: list[str] = []  # noqa: RUF012  of this class alone

        def request(self, verb: str, path: str, body: Path | bytes, content_type: str = "") -> Any:
            if verb == "PUT":
                self.puts.append(path.rpartition("/")[2])
                if self.full and path.endswith("f1"):
                    raise Unavailable("no room for files", 5.0, 507)
            return super().request(verb, path, body, content_type)

    folder = outbox.folder / "files"
    folder.mkdir(parents=True)
    notes = [Note("file", {"path": f"f{at}", "stored": f"s{at}"}) for at in range(3)]
    for at in range(3):
        (folder / f"s{at}").write_text(f"{at}")
    fill(outbox, notes[0], Points((group("a", (1, 1.0)),)), notes[1], Points((group("a", (2, 2.0)),)), notes[2])
    marks: list[Place] = []
    server = Full()
    delivery = Delivery(server, "a/b", outbox, lambda _: None)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Unavailable, match="the file 'f1' waits, all else is sent: no room") as caught:
            delivery.deliver(sent=marks.append)
        assert (caught.value.retry_after, caught.value.status) == (None, 507)  # others wait no longer for it
    assert [each[2]["series"][0]["steps"] for each in server.taken if each[0] == "POST"] == [[1], [2]]
    assert server.puts == ["f0", "f1", "f2", "f1"]
    with pytest.raises(Unavailable, match="the file 'f1' waits"):
        delivery.deliver(late=False)
    assert server.puts == ["f0", "f1", "f2", "f1"]
    again = Delivery(server, "a/b", outbox, lambda _: None)  # type: ignore[arg-type]  # another process goes on from there
    with pytest.raises(Unavailable):
        again.deliver()
    assert [path.name for path in sorted(folder.iterdir())] == ["s1", "s2"]
    server.full = False
    delivery.deliver(sent=marks.append)
    assert marks == sorted(marks)
    assert (outbox.unsent_bytes(), [*folder.iterdir()], delivery.sums.others) == (0, [], 3)


def test_what_is_sent_goes_from_the_disk_while_a_file_waits(outbox: Outbox) -> None:
    class Full(Server):
        full = True

        def request(self, verb: str, path: str, body: Path | bytes, content_type: str = "") -> Any:
            if verb == "PUT" and self.full:
                raise Unavailable("no room for files", status=507)
            return super().request(verb, path, body, content_type)

    (outbox.folder / "files").mkdir(parents=True)
    spool = Spool(outbox.folder, encode_note(Note("segment", {"version": 1, "run": "r"})), segment_bytes=1)
    for step in range(8):
        if step in (2, 5):
            (outbox.folder / "files" / f"s{step}").write_text(f"{step}")
            assert spool.append(encode_note(Note("file", {"path": f"f{step}", "stored": f"s{step}"})))
        else:
            assert spool.append(encode_points([group("a", (step, 1.0))]))
    assert spool.close()
    server = Full()
    delivery = Delivery(server, "a/b", outbox, lambda _: None)  # type: ignore[arg-type]

    def sent(place: Place) -> None:
        outbox.drop_before(place.segment, but=delivery.segments_due)

    with pytest.raises(Unavailable):
        delivery.deliver(sent=sent)
    assert [number for number, _ in outbox.segments()] == [3, 6, 8]
    server.full = False
    again = Delivery(server, "a/b", outbox, lambda _: None)  # type: ignore[arg-type]  # another process goes on from there
    again.deliver(ended=True)
    assert [body for verb, _, body in server.taken if verb == "PUT"] == [b"2", b"5"]
    assert (outbox.unsent_bytes(), again.sums.damaged, [*(outbox.folder / "files").iterdir()]) == (0, 0, [])


def test_files_of_one_name_go_in_their_order(outbox: Outbox) -> None:
    class Full(Server):
        def request(self, verb: str, path: str, body: Path | bytes, content_type: str = "") -> Any:
            self.tried += 1
            if self.tried in (1, 2):
                raise Unavailable("no room", status=507)
            return super().request(verb, path, body, content_type)

    folder = outbox.folder / "files"
    folder.mkdir(parents=True)
    for at in range(3):
        (folder / f"s{at}").write_text(f"{at}")
    fill(outbox, *(Note("file", {"path": "last", "stored": f"s{at}"}) for at in range(3)))
    server = Full()
    delivery = Delivery(server, "a/b", outbox, lambda _: None)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Unavailable):
            delivery.deliver()
    delivery.deliver()
    assert [body for _, _, body in server.taken] == [b"0", b"1", b"2"]


def test_a_kind_of_a_later_version_is_named_and_passed_over(outbox: Outbox) -> None:
    fill(outbox, Note("dream", {}), Note("change", {"name": "n"}))
    server = Server()
    _, told = deliver(outbox, server)
    assert len(server.taken) == 1
    assert "'dream'" in told[0]


def usage(task: str, *percents: int) -> Note:
    return Note("usage", {"task": task, "samples": [{"time": each, "cpu": each} for each in percents]})


def test_samples_of_a_task_go_together_and_between_points(outbox: Outbox) -> None:
    fill(
        outbox,
        Points((group("a", (1, 1.0)),)),
        usage("worker-0", 1, 2),
        usage("w 1"),
        Points((group("a", (2, 2.0)),)),
        usage("worker-0", 3),
        Note("change", {"name": "n"}),
        usage("worker-0", 4),
    )
    server = Server()
    _, told = deliver(outbox, server)
    assert [(verb, path) for verb, path, _ in server.taken] == [
        ("POST", "/runs/a%2Fb/points"),
        ("POST", "/runs/a%2Fb/tasks/worker-0/resources"),
        ("POST", "/runs/a%2Fb/tasks/w%201/resources"),
        ("PATCH", "/runs/a%2Fb"),
        ("POST", "/runs/a%2Fb/tasks/worker-0/resources"),
    ]
    assert server.taken[0][2]["series"][0]["steps"] == [1, 2]
    assert server.taken[1][2] == {"samples": [{"time": each, "cpu": each} for each in (1, 2, 3)]}
    assert server.taken[2][2] == {"samples": []}  # makes the task known
    assert told == []
    assert outbox.unsent_bytes() == 0


def test_samples_without_end_go_in_parts(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "_SAMPLES", 2)
    fill(outbox, usage("worker-0", 1, 2, 3), usage("worker-0", 4, 5))
    server = Server()
    deliver(outbox, server)
    assert [[each["cpu"] for each in message["samples"]] for _, _, message in server.taken] == [[1, 2], [3, 4], [5]]
