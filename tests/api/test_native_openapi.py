"""The OpenAPI document is part of the interface: a change of it is seen in openapi.json beside this file.

UPDATE_GOLDEN=1 writes the file anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx

from stepwell.dialects.native import openapi

GOLDEN = Path(__file__).with_name("openapi.json")


def test_the_document_is_the_one_that_was_agreed():
    written = json.dumps(openapi.document(), indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text(), "the interface has changed; UPDATE_GOLDEN=1 accepts it"


def test_the_server_gives_it(api: httpx.Client):
    answer = api.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(GOLDEN.read_text())


def test_the_page_about_it(api: httpx.Client):
    answer = api.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "/api/v1/runs/search" in answer.text
