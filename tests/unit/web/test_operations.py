"""Health, metrics and the page."""

from __future__ import annotations

import re

import pytest

from unit.web.asking import Asking


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_says_ok_or_why_not(path: str):
    asking = Asking()
    answer = asking.ask("GET", path)
    assert (answer.status, answer.json) == (200, {"status": "ok", "version": "9.9"})
    asking.store.reason = "the disk is full"
    answer = asking.ask("GET", path)
    assert (answer.status, answer.json["reason"]) == (503, "the disk is full")


def test_metrics_are_prometheus_text():
    asking = Asking()
    asking.ask("GET", "/t/none")
    answer = asking.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    sample = re.compile(
        r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+|# TYPE [a-z_]+ (counter|gauge|histogram)'
    )
    assert [line for line in lines if not sample.fullmatch(line)] == []
    assert 'stepwell_requests_total{dialect="tested",outcome="404"} 1' in lines
    assert 'stepwell_request_seconds_count{dialect="tested"} 1' in lines
    assert "stepwell_queue_bytes 3" in lines
    assert "stepwell_commits_total 7" in lines
    assert 'stepwell_commit_seconds_bucket{le="0.01"} 7' in lines
    assert lines.count('stepwell_commit_seconds_bucket{le="+Inf"} 7') == 1
    assert 'le="inf"' not in answer.body.decode()
    assert 'stepwell_build_info{version="9.9"} 1' in lines
    assert any(line.startswith("stepwell_process_resident_bytes ") for line in lines)


def test_the_cumulative_counts_of_a_histogram_never_fall():
    asking = Asking()
    for seconds in (0.0001, 0.002, 0.002, 3.0, 100.0):
        asking.counters.count("d", 200, seconds)
    counts = [int(line.rsplit(" ", 1)[1]) for line in asking.counters.lines() if "_bucket" in line]
    assert counts == sorted(counts)
    assert counts[-1] == 5
    assert counts[-2] == 4


def test_the_root_leads_to_the_page():
    answer = Asking().ask("GET", "/")
    assert (answer.status, answer.headers["location"]) == (307, "ui/")


@pytest.mark.parametrize(
    "name", ["none.css", "..%2f__init__.py", "../operations.py", "%2e%2e/operations.py", "__init__.py"]
)
def test_only_files_of_the_page_are_given(name: str):
    assert Asking().ask("GET", f"/ui/{name}").status == 404
