"""Through nginx under a path: Pluto's client logs, sends files by the links that it gets, and finds all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from pluto.query import Client

from contract.pluto.conftest import Training
from proxying import behind_proxy

PROGRAM = """
run = pluto.init(project="behind", name="a run")
for step in range(10):
    run.log({"loss": 1 / (step + 1)}, step=step)
Path("model.bin").write_bytes(bytes(range(256)) * 4000)
run.log({"models/last": pluto.Artifact("model.bin")}, step=9)
run.finish()
told["id"] = run.settings._op_id
told["address"] = run.settings.url_view
"""


def test_the_client(tmp_path: Path) -> None:
    with behind_proxy(tmp_path) as behind:
        secret = behind.credential(workspace="w")["secret"]
        told = Training(behind.url, tmp_path).good(PROGRAM, key=secret)
        assert told["address"].startswith(f"{behind.url}/#/")
        with Client(api_token=secret, host=behind.url) as query:
            found: Any = query.get_metrics("behind", told["id"], metric_names=["loss"])
            assert len(found) == 10
            (file,) = query.get_files("behind", told["id"])
        assert file["url"].startswith(f"{behind.url}/storage/")
        assert httpx.get(file["url"], timeout=60).content == bytes(range(256)) * 4000
