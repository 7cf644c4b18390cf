"""The code in the documents, as a reader runs it: of each document in one shell, block after block.

What is not run stands here with its reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import Server

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"^```(python|sh|bash)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Documents with tests of their own, which look at what comes of each step.
ELSEWHERE = {
    "docs/howto/warehouse.md": "tests/warehouse/test_howto.py has the databases and nginx",
    "docs/tutorial.md": "tests/client/test_tutorial.py",
}
DOCUMENTS = [
    name
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if (name := path.relative_to(ROOT).as_posix()) not in ELSEWHERE and BLOCK.search(path.read_text())
]

# Whose environment a block of Python is for, by what it imports first; else ours.
CLIENTS = {
    "ai_core_sdk": "sap",
    "huaweicloudsdkcore": "modelarts",
    "mlflow": "mlflow",
    "oci": "oracle",
    "pluto": "pluto",
}

# Blocks that are not run at all, by their first line, and why.
BLOCKS_LEFT_OUT = {
    "make serve     # sets everything up, serves on http://127.0.0.1:8585, data in ./stepwell-data": (
        "sets up what runs this test, and runs it"
    ),
    "useradd --system --home-dir /var/lib/stepwell --shell /usr/sbin/nologin stepwell": (
        "root's work on a machine with systemd; tests/test_deploy.py checks the unit"
    ),
    "stepwell serve --auth required --behind-proxy 1": "runs until stopped; tests/proxying.py has it behind nginx",
    "export MLFLOW_TRACKING_URI=https://ml.example.com/team/stepwell": (
        "needs that name; tests/contract/mlflow/test_proxy.py has a proxy"
    ),
    "from stepwell.client.integrations.lightning import StepwellLogger  "
    '# Trainer(logger=StepwellLogger(experiment="digits"))': (
        "needs Lightning and transformers; tests/client/test_integrations.py stands in for them"
    ),
}
# Of the other blocks, lines that are not run, and why.
LINES_LEFT_OUT = {
    "stepwell import mlflow http://127.0.0.1:5000": "tests/contract/mlflow/test_import.py has such a server",
    "stepwell import mlflow mlflow.db --only digits": "tests/contract/mlflow/test_import.py",
    "stepwell import mlflow postgresql://reader@db.example.org/mlflow": "tests/contract/mlflow/test_import.py",
    "stepwell import mlflow mlruns/": "tests/contract/mlflow/test_import.py",
    "stepwell import wandb wandb/": "tests/contract/wandb/test_import.py",
    "stepwell export arrow points.arrows --experiment digits": "needs pyarrow; tests/contract/stepwell/test_arrow.py",
    "stepwell export mlflow --to http://127.0.0.1:5000 --experiment digits": "tests/contract/mlflow/test_export.py",
    "stepwell serve --data-dir ./again": "runs until it is stopped; the line before has read all of it",
}

ORACLE = """
    export HOME=$PWD
    openssl genrsa -traditional -out oci_key.pem 2048 2> /dev/null
    mkdir .oci
    printf '[DEFAULT]\\ntenancy=ocid1.tenancy.oc1..aaaa\\nuser=ocid1.user.oc1..bbbb\\n' > .oci/config
    printf 'region=us-ashburn-1\\nfingerprint=20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34\\n' >> .oci/config
    printf "key_file=$PWD/oci_key.pem\\n" >> .oci/config
    chmod 600 .oci/config oci_key.pem
"""

# What a document takes for granted: shell commands before its first block.
BEFORE = {
    "README.md": f"""
        export PLUTO_URL_APP=$URL PLUTO_URL_API=$URL PLUTO_URL_INGEST=$URL PLUTO_URL_PY=$URL PLUTO_API_KEY=any
        export PLUTO_DISABLE_TELEMETRY=1
        curl -s $URL/api/v1/runs -d '{{"id": "RUN"}}'
        {ORACLE}
    """,
    "docs/howto/import-export.md": """
        curl -s $URL/api/v1/experiments -d '{"name": "digits"}'
        for run in first second; do
            curl -s $URL/api/v1/runs -d '{"id": "'$run'", "experiment_id": 1}'
            curl -s $URL/api/v1/runs/$run/points -d '{"series": [{"metric": "acc", "steps": [1], "values": [0.95]}]}'
        done
        stepwell export tensorboard runs/ first
        printf 'step,loss\\n0,0.5\\n' > train.csv
    """,
    "docs/howto/modelarts.md": """
        curl -s $URL/api/v1/runs -H 'X-Stepwell-Workspace: vision' -d '{"id": "my-run"}'
    """,
    "docs/howto/oracle.md": ORACLE,
    "docs/howto/python-client.md": """
        STEPWELL_MODE=offline python -c 'import stepwell; stepwell.init(experiment="offline").finish()'
    """,
    "docs/howto/resource-agent.md": 'curl -s $URL/api/v1/runs -d \'{"id": "RUN"}\'',
    "docs/howto/retention.md": """
        for name in a b c d; do
            curl -s $URL/api/v1/experiments -H 'X-Stepwell-Workspace: team' -d "{\\"name\\": \\"$name\\"}"
        done
    """,
}

# What a fragment takes for granted, by its first line.
GIVEN = {
    "from mlflow.entities import Metric": """
import mlflow
run_id = mlflow.start_run().info.run_id
measured = [(1, 0.5), (2, 0.25)]
""",
    'size = int.from_bytes(body[:8], "little")': """
import json, numpy, os, urllib.request
asked = urllib.request.Request(os.environ["URL"] + "/api/v1/buckets?run_id=first&metric=loss&budget=10")
asked.add_header("Accept", "application/vnd.stepwell.buckets")
body = urllib.request.urlopen(asked, timeout=60).read()
""",
}

# What changes the machine is never run here, whatever a document says.
OF_THE_MACHINE = re.compile(
    r"\b(sudo|systemctl|useradd|apt|apt-get|pip|pipx|docker|kubectl)\b|(?<![\w.])/(etc|opt|root|srv|usr|var)\b"
)

# What is called otherwise here.
OTHERWISE = {
    "/backups/2026-11-21": "copy",
    "stepwell check --repair --data-dir ./stepwell-data": "stepwell check --repair --data-dir ./again",  # has no server
    "--data-dir ./stepwell-data": "--data-dir $STEPWELL_DATA_DIR",
    "stepwell agent --run RUN --url http://127.0.0.1:8585 &": """stepwell agent --run RUN > agent.log &
        until grep -q measuring agent.log; do kill -0 $!; sleep 0.1; done
        kill $!
        wait $! || [ $? = 1 ]  # a slow machine keeps its last samples""",
}


def blocks(document: str) -> list[tuple[str, str]]:
    """Language and text of each block that is run."""
    found = []
    for language, text in BLOCK.findall((ROOT / document).read_text()):
        kept = [line for line in text.splitlines() if line not in LINES_LEFT_OUT]
        if kept and kept[0] not in BLOCKS_LEFT_OUT:
            assert not OF_THE_MACHINE.search("\n".join(kept)), f"{document}: leave this block out:\n{text}"
            found.append((language, "\n".join(kept)))
    return found


def script(document: str, url: str) -> str:
    """All of a document for bash, which stops where something fails."""
    told = ["set -eu", 'curl() { command curl --fail-with-body --show-error "$@"; }', BEFORE.get(document, "")]
    for number, (language, text) in enumerate(blocks(document)):
        told.append(f"echo 'block {number}' >&2")
        changed = text
        for before, after in {**OTHERWISE, "http://127.0.0.1:8585": url}.items():
            changed = changed.replace(before, after)
        if language == "python":
            imported = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
            client = next((CLIENTS[name] for name in imported if name in CLIENTS), None)
            python = BIN / "python" if client is None else ROOT / f".cache/clients/{client}/bin/python"
            changed = f"{python} - <<'END'\n{GIVEN.get(text.splitlines()[0], '')}{changed}\nEND"
        told.append(changed)
    return "\n".join(told)


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if blocks(each)])
def test_the_code_does_what_a_reader_expects(document: str, server: Server, tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "URL": server.url,
        "SECRET": "any",
        "STEPWELL_URL": server.url,
        "STEPWELL_DATA_DIR": str(server.data_dir),
        "no_proxy": "*",
    }
    done = subprocess.run(
        ["bash", "-c", script(document, server.url)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_nothing_is_named_here_that_no_document_has() -> None:
    texts = [text for document in DOCUMENTS for _, text in BLOCK.findall((ROOT / document).read_text())]
    first = {text.splitlines()[0] for text in texts}
    assert (set(BLOCKS_LEFT_OUT) | set(GIVEN)) - first == set()
    assert set(LINES_LEFT_OUT) - {line for text in texts for line in text.splitlines()} == set()
    assert set(BEFORE) - set(DOCUMENTS) == set()
    assert [name for name in OTHERWISE if not any(name in text for text in texts)] == []
