"""The document covers the routes, refers to nothing that is not there, and the page shows all of it without help."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from stepwell.dialects.native import dialect, docs, openapi
from stepwell.dialects.native.operations import OPERATIONS, PREFIX

DOCUMENT = openapi.document()
UNDOCUMENTED = {f"{PREFIX}/openapi.json", f"{PREFIX}/docs"}


def references(value: Any) -> set[str]:
    text = json.dumps(value)
    return set(re.findall(r'"\$ref": "#/components/(\w+/\w+)"', text))


def test_every_route_is_documented():
    routes = {(route.verb, route.path.replace(":path", "")) for route in dialect().routes}
    written = {(verb.upper(), path) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert {(verb, path) for verb, path in routes if path not in UNDOCUMENTED} == written


def test_references_lead_somewhere_and_nothing_is_left_over():
    parts = DOCUMENT["components"]
    there = {f"{kind}/{name}" for kind in ("schemas", "parameters") for name in parts[kind]}
    assert references(DOCUMENT) == there


def test_operations_have_names_and_summaries_of_their_own():
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert all(operation.summary.endswith(".") for operation in OPERATIONS)


def test_a_query_parameter_is_never_null():
    for verbs in DOCUMENT["paths"].values():
        for operation in verbs.values():
            assert not [p for p in operation["parameters"] if "null" in json.dumps(p)]


class Reader(HTMLParser):
    """Collects what a browser would ask for, and checks that tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta"}:
            self.open.append(tag)
        for name, value in attributes:
            if name in {"href", "src", "action", "data"}:
                self.links.append(value or "")
            if name == "id":
                self.names.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone():
    page = docs.page(DOCUMENT)
    reader = Reader()
    reader.feed(page.html.decode())
    assert reader.open == []
    assert set(reader.links) - {f"#{name}" for name in reader.names} == {"openapi.json"}
    assert b"<script" not in page.html
    policy = dict(page.headers)["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert all(operation.id in reader.names for operation in OPERATIONS)


@pytest.mark.parametrize("text", ["<img src=x>", "a & b", '"quoted"'])
def test_the_page_escapes(text: str):
    document = {**DOCUMENT, "info": {**DOCUMENT["info"], "description": text}}
    assert text.encode() not in docs.page(document).html.replace(b'<html lang="en">', b"") or text == "a & b"
    assert b"<img" not in docs.page(document).html
