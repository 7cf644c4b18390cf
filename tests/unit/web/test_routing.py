"""Finding the route of a path, and whose error shape a path gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.operations import error_response
from stepwell.web.response import Response
from stepwell.web.routing import Dialect, Route, Router


async def nothing(_call: Call) -> Response:
    return Response(204)


def dialect(name: str, prefixes: tuple[str, ...], *routes: tuple[str, str]) -> Dialect:
    return Dialect(
        name=name,
        prefixes=prefixes,
        routes=tuple(Route(verb, path, nothing) for verb, path in routes),
        workspace=lambda _call: "w",
        error_response=error_response,
    )


def router(*routes: tuple[str, str]) -> Router:
    only = dialect("only", ("/a",), *routes)
    return Router([only], fallback=only)


def test_literal_segments_come_before_parameters_and_parameters_before_paths():
    found = router(
        ("GET", "/a/{x:path}"), ("GET", "/a/{x}"), ("GET", "/a/b"), ("GET", "/a/b/{x}/c"), ("GET", "/a/{x}/d/e")
    )
    paths = {
        b"/a/b": "/a/b",
        b"/a/z": "/a/{x}",
        b"/a/b/c": "/a/{x:path}",
        b"/a/b/1/c": "/a/b/{x}/c",
        b"/a/b/d/e": "/a/{x}/d/e",
        b"/a/b/1/d": "/a/{x:path}",
        b"/a/1/2/3": "/a/{x:path}",
    }
    assert {path: found.find("GET", path).route.path for path in paths} == paths


def test_parameters_caught_on_a_way_that_was_left_are_forgotten():
    found = router(("GET", "/a/{x}/{y}/end"), ("GET", "/{all:path}"))
    assert dict(found.find("GET", b"/a/1/2/3").params) == {"all": "a/1/2/3"}
    assert dict(found.find("GET", b"/a/1/2/end").params) == {"x": "1", "y": "2"}


def test_a_path_alone_is_not_a_prefix():
    wide, narrow = dialect("wide", ("/a",)), replace(dialect("narrow", ("/b",)), paths=("/a/b",))
    found = Router([wide, narrow], fallback=wide)
    paths = {"/a/b": "narrow", "/a": "wide", "/a/b/c": "wide", "/a/bc": "wide", "/b/c": "narrow", "/c": "wide"}
    assert {path: found.dialect_of(path).name for path in paths} == paths


@pytest.mark.parametrize("path", [b"/a/", b"/a//x", b"/", b"", b"/a/x/", b"a/x"])
def test_an_empty_segment_is_no_parameter(path: bytes):
    with pytest.raises(HttpProblem, match="there is nothing"):
        router(("GET", "/a/{x}"), ("GET", "/a/{x}/{y:path}")).find("GET", path)


def test_an_encoded_slash_stays_in_its_segment():
    found = router(("GET", "/a/{x}"), ("GET", "/a/b/{y:path}"))
    assert dict(found.find("GET", b"/a/b%2Fc").params) == {"x": "b/c"}
    assert dict(found.find("GET", b"/a/b/%2e%2e/c").params) == {"y": "../c"}


def test_an_encoded_literal_is_found_too():
    assert router(("GET", "/a/b")).find("GET", b"/a/%62").route.path == "/a/b"


def test_the_fast_way_finds_exact_paths_only():
    found = router(("GET", "/a/b"), ("GET", "/a/{x}"))
    match = found.literal("GET", b"/a/b")
    assert match is not None
    assert match.route.path == "/a/b"
    assert found.literal("POST", b"/a/b") is None
    assert found.literal("GET", b"/a/c") is None


def test_two_routes_for_one_thing_are_refused():
    with pytest.raises(ValueError, match="two routes for GET /a/b"):
        router(("GET", "/a/b"), ("GET", "/a/b"))
    with pytest.raises(ValueError, match="two routes"):
        router(("GET", "/a/{x}"), ("GET", "/a/{y}"))


def test_only_the_last_segment_may_be_a_path():
    with pytest.raises(ValueError, match="only the last segment"):
        router(("GET", "/a/{x:path}/b"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1", "native"),
        ("/api/v1/", "native"),
        ("/api/v1/metrics", "other"),
        ("/api/v1/metrics/x", "other"),
        ("/api/v1/metricsx", "native"),
        ("/api/2.0/x", "mlflow"),
        ("/health", "mlflow"),
        ("/healthz", "native"),
        ("/elsewhere", "native"),
        ("", "native"),
    ],
)
def test_the_longest_prefix_decides_the_dialect(path: str, name: str):
    native = dialect("native", ("/api/v1/",))
    others = [dialect("mlflow", ("/api/2.0/", "/health")), dialect("other", ("/api/v1/metrics",))]
    assert Router([native, *others], fallback=native).dialect_of(path).name == name
