"""Readers beside trainers: no answer may show less than was acknowledged before it was asked for, or anything twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from warehouse.trainers import MLFLOW, Answer, Trainer, ask


class Watcher(threading.Thread):
    """Reads the runs of some trainers through one server, again and again."""

    def __init__(self, port: int, trainers: Sequence[Trainer]) -> None:
        super().__init__(name=f"watcher-{port}", daemon=True)
        self.end = threading.Event()
        self.answered = threading.Event()  # a read was
        self.wrong: list[str] = []
        self._port = port
        self._trainers = trainers

    def run(self) -> None:
        """Until told to end."""
        while not self.end.is_set():
            for trainer in self._trainers:
                self._look(trainer)

    def _look(self, trainer: Trainer) -> None:
        before = trainer.acknowledged
        found: Counter[int] = Counter()
        token: str | None = ""
        while token is not None:
            more = f"&page_token={token}" if token else ""
            path = f"{MLFLOW}/metrics/get-history?run_id={trainer.run_id}&metric_key=loss&max_results=5000{more}"
            answer = ask(self._port, "GET", path)
            if answer.status != 200:
                self._refused(answer)
                return
            found.update(int(each["step"]) for each in answer.body.get("metrics", ()))
            token = answer.body.get("next_page_token") or None
        self.answered.set()
        lost = [step for step in range(before) if step not in found]
        double = [step for step, count in found.items() if count > 1]
        if lost or double:
            self.wrong.append(
                f"{trainer.name}: of {before} acknowledged {len(lost)} lost {lost[:5]}, double {double[:5]}"
            )

    def _refused(self, answer: Answer) -> None:
        if answer.status and not (answer.status == 503 and int(answer.headers.get("retry-after", 0)) > 0):
            self.wrong.append(f"answered {answer.status}: {answer.body}")
        self.end.wait(0.1)


@contextmanager
def watched(ports: Sequence[int], trainers: Sequence[Trainer]) -> Iterator[list[Watcher]]:
    """Readers through each of some servers until the end of the block, none of whom saw anything wrong."""
    watchers = [Watcher(port, trainers) for port in ports]
    for watcher in watchers:
        watcher.start()
    try:
        yield watchers
        for watcher in watchers:
            watcher.answered.wait(150)
    finally:
        for watcher in watchers:
            watcher.end.set()
        for watcher in watchers:
            watcher.join(150)
    for watcher in watchers:
        assert not watcher.is_alive(), "a read was never answered"
        assert watcher.wrong == []
        assert watcher.answered.is_set(), "every read was refused"
