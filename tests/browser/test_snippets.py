"""The lines of code on a run's page read the run: they are copied off the page and run with the real clients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.filling import STEPS, ask, loss_of, run_python
from browser.person import Person
from serving import Server


def code(person: Person, run: str, client: str) -> str:
    page = person.go(f"runs/{run}", part="code", client=client)
    return page.locator("pre.content").inner_text()


@pytest.fixture(scope="session")
def run(filled: Server) -> str:
    """The id of the run with the known curve."""
    return str(ask(filled.url, "/runs/search", {"filter": "run_name = 'sgd 0.01'"})["runs"]["id"][0])


def test_mlflows_lines_read_the_run(person: Person, run: str):
    text = code(person, run, "mlflow").replace('"train/accuracy"', '"train/loss"')
    said = run_python("mlflow", ["-c", text])
    assert "sgd 0.01" in said
    assert "'optimizer': 'sgd'" in said
    history = json.loads(said[said.index("[(") :].replace("(", "[").replace(")", "]"))
    assert history == [[step, loss_of("0.01", "sgd", step)] for step in range(STEPS)]


def test_plutos_lines_read_the_run(person: Person, run: str):
    text = code(person, run, "pluto").replace("train/accuracy", "train/loss")
    rows = 'import json; print(json.dumps([*zip(metrics["step"].tolist(), metrics["value"].tolist())]))'
    said = run_python("pluto", ["-c", f"{text}\n{rows}"], PLUTO_DISABLE_TELEMETRY="1")
    assert "sgd 0.01 COMPLETED" in said
    assert "train/loss" in said
    assert json.loads(said.splitlines()[-1]) == [[step, loss_of("0.01", "sgd", step)] for step in range(STEPS)]


CONFIGURE = """
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
folder = Path.home() / ".oci"
folder.mkdir(mode=0o700)
key, config = folder / "key.pem", folder / "config"
for path in (key, config):
    path.touch(mode=0o600)
made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
config.write_text(
    "[DEFAULT]\\n"
    "user=ocid1.user.oc1..bbbb\\n"
    "tenancy=ocid1.tenancy.oc1..aaaa\\n"
    "fingerprint=20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34\\n"
    "region=us-ashburn-1\\n"
    f"key_file={key}\\n"
)
"""


def test_oracles_lines_read_the_run(person: Person, run: str, tmp_path: Path):
    run_python("oracle", ["-c", CONFIGURE], HOME=str(tmp_path))
    text = code(person, run, "oracle").replace('"train/accuracy"', '"train/loss"')
    said, history = run_python("oracle", ["-c", text], HOME=str(tmp_path)).split("\n", 1)
    assert said == "sgd 0.01 FINISHED"
    found = [(point["key"], point["step"], point["value"]) for point in json.loads(history)]
    assert found == [("train/loss", step, loss_of("0.01", "sgd", step)) for step in range(STEPS)]


def test_saps_lines_read_the_run(person: Person, run: str):
    said = run_python("sap", ["-c", code(person, run, "sap")]).splitlines()
    found = [line.split()[1:] for line in said if line.startswith("train/loss ")]
    assert sorted((int(step), float(value)) for step, value in found) == [
        (step, loss_of("0.01", "sgd", step)) for step in range(STEPS)
    ]


def test_modelarts_lines_read_the_usage(person: Person, filled: Server):
    said = run_python("modelarts", ["-c", code(person, "odd", "modelarts")])
    assert "cpu" in said.lower()
    assert "40.0" in said


def test_a_click_copies(look, filled: Server):
    person = look(filled.url, permissions=["clipboard-read", "clipboard-write"])
    page = person.go("runs/odd", part="code", client="curl")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -s '")
