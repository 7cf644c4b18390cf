"""The files in deploy/: what they name is there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import httpx

from serving import Server
from stepwell.cli import parser
from stepwell.settings import load

DEPLOY = Path(__file__).parents[1] / "deploy"


def panels() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    return found


def test_the_server_tells_every_metric_of_the_dashboard(shared_server: Server) -> None:
    asked = set(re.findall(r"\bstepwell_\w+", (DEPLOY / "grafana.json").read_text()))
    assert httpx.get(f"{shared_server.url}/api/v1/session", timeout=60).status_code == 200  # requests are counted
    told = httpx.get(f"{shared_server.url}/metrics", timeout=60).text
    assert asked - set(re.findall(r"^(stepwell_\w+)", told, re.MULTILINE)) == set()
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} | asked
    assert set(re.findall(r"^# TYPE (stepwell_\w+)", told, re.MULTILINE)) - shown == set(), "it shows all of them"


def test_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert isinstance(place, dict)
        cells = {(place["x"] + column, place["y"] + row) for column in range(place["w"]) for row in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert all(column < 24 for column, _ in cells), panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_unit_starts_a_server_with_settings_that_exist(tmp_path: Path) -> None:
    unit = (DEPLOY / "stepwell.service").read_text()
    [command] = re.findall(r"^ExecStart=\S+/stepwell (.+)$", unit, re.MULTILINE)
    asked = vars(parser().parse_args(shlex.split(command)))
    (tmp_path / "stepwell.toml").write_text('auth = "required"\nbehind_proxy = 1\n')  # of docs/howto/deploy.md
    environ = dict(re.findall(r"^Environment=(\w+)=(.+)$", unit, re.MULTILINE))
    settings = load({**asked, "config": tmp_path / "stepwell.toml"}, environ=environ)
    assert settings.data_dir == Path("/var/lib/stepwell")
    assert re.search(r"^StateDirectory=stepwell$", unit, re.MULTILINE)
    assert settings.auth_required
