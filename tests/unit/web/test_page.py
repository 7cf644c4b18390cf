"""The files of the page: which are given, as what, and with which headers."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem
from stepwell.web.page import Page


def built(folder: Path) -> Page:
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<title>Stepwell</title>")
    (folder / "assets" / "index-1a2b.js").write_text("void 0;" * 100)
    (folder / "secret.py").write_text("not of the page")
    return Page(folder)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str
    headers: dict[str, str]


def ask(page: Page, name: str | None, *, accept: str | None = None) -> Answer:
    call = cast("Call", SimpleNamespace(params={"name": name}, header={"accept-encoding": accept}.get))
    answer = asyncio.run(page.index(call) if name is None else page.file(call))
    assert isinstance(answer.body, bytes)
    return Answer(answer.status, answer.body, answer.content_type, dict(answer.headers))


def test_the_document_may_run_nothing_but_its_own_files_and_is_asked_for_anew(tmp_path: Path):
    answer = ask(built(tmp_path), None)
    assert (answer.status, answer.body) == (200, b"<title>Stepwell</title>")
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert policy.endswith("base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert not {"unsafe", "*"} & set(policy.replace("-", " ").split())
    assert answer.headers["cache-control"] == "no-cache"


def test_a_hashed_file_is_kept_and_travels_compressed(tmp_path: Path):
    page = built(tmp_path)
    plain = ask(page, "assets/index-1a2b.js")
    packed = ask(page, "assets/index-1a2b.js", accept="br, gzip")
    assert "immutable" in plain.headers["cache-control"]
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body)


@pytest.mark.parametrize("name", ["none.css", "secret.py", "../page.py", "assets", "assets/", "assets/../index.html"])
def test_only_files_of_the_page_are_given(tmp_path: Path, name: str):
    with pytest.raises(HttpProblem, match="/ui/"):
        ask(built(tmp_path), name)


def test_a_checkout_whose_page_was_not_built_says_so(tmp_path: Path):
    answer = ask(Page(tmp_path / "none"), None)
    assert answer.status == 503
    assert b"make ui" in answer.body
