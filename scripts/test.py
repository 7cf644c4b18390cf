"""Runs the parts of the test suite one after another and prints how long each took.

    python scripts/test.py [PART ...]       without PART: everything but `long`

A part fails when one of its commands fails; the next parts run all the same, and the exit status is 1 at the end.
A part whose folder does not exist is left out. A part that hangs is ended.

Where programs of others are driven (clients, a browser), tests that fail are run once more, alone: what passes then is
named at the end, for it is still a fault to look for. Nothing is run again where a lost point may show but sometimes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
TESTS = ROOT / "tests"
CLIENTS = ROOT / ".cache" / "clients"

NO_TESTS_COLLECTED = 5
GRACE = 3  # budgets until a hanging part is ended,
LEAST = 12  # but no fewer minutes than these: a busy machine is not a hanging one
WORKERS = "2"

Command = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Commands that are run and timed together. `budget` is in minutes; nothing fails by being slower. `again`: tests
    that fail are given a second run."""

    name: str
    budget: float
    commands: list[Command]
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a part; `seconds` is wall time, `unsteady` the tests that passed in their second run only."""

    part: Part
    seconds: float
    failures: list[str]
    unsteady: list[str]


def folders(*names: str) -> list[str]:
    """Those of the folders under tests/ that hold tests."""
    return [f"tests/{name}" for name in names if any((TESTS / name).rglob("test_*.py"))]


def pytest(paths: list[str], *options: str, python: Path = BIN / "python") -> list[Command]:
    """The command that tests `paths`; none where there is nothing to test."""
    return [[str(python), "-m", "pytest", "-q", "-n", WORKERS, *options, *paths]] if paths else []


def contract(*options: str) -> Iterator[Command]:
    """The tests of each real client, in the environment that holds it and nothing of ours."""
    for lock in sorted((ROOT / "requirements" / "clients").glob("*.txt")):
        python = CLIENTS / lock.stem / "bin" / "python"
        # Warnings of other people's packages are theirs; ours are errors in the other parts.
        yield from pytest(folders(f"contract/{lock.stem}"), "-W", "default", *options, python=python)
    # One conversation of all of them, in this environment: a second worker would only hold it again.
    yield from pytest(folders("contract/cross"), *options, "-n", "0")


def frameworks() -> list[Command]:
    """Our own client under training libraries, in an environment that takes its time to make."""
    python = ROOT / ".cache" / "frameworks" / "bin" / "python"
    tests = pytest(folders("contract/frameworks"), "-W", "default", python=python)
    return [[str(ROOT / "scripts" / "setup.sh"), "frameworks"], *tests] if tests else []


def warehouse(*, everything: bool = False) -> list[Command]:
    """The storage suite, several servers at once, and clients, on a PostgreSQL and a ClickHouse started for them.

    Without `everything` what is nearest to losing something, and each client once: all of it is in the part `long`.
    """
    if not (TESTS / "warehouse").is_dir():
        return []
    databases = [str(BIN / "python"), "tests/warehouse/servers.py"]  # one pair for all workers
    served = "--engine=warehouse"
    bucket = "--engine=bucket warehouse"
    if everything:
        suite = pytest(folders("conformance"), served, "--hypothesis-profile=long")
        with_files = ("audit", "blobs", "delete", "maintenance", "quotas", "workspaces")
        files = pytest([f"tests/conformance/test_{name}.py" for name in with_files], bucket)
        several = pytest(folders("warehouse"), "--hypothesis-profile=long")
        native = [f"tests/api/test_native_{name}.py" for name in ("access", "catalog", "files", "points")]
        clients = [*contract(served), *pytest(native, served)]
    else:
        names = ("append", "catalog", "delete", "maintenance", "read", "search", "summaries")
        quick = ("-m", "not slow and not long", "--hypothesis-profile=quick")
        suite = pytest([f"tests/conformance/test_{name}.py" for name in names], served, *quick)
        files = pytest(["tests/conformance/test_blobs.py"], bucket, "-k", "not refus")
        several = pytest(folders("warehouse"), "-m", "not long", "--hypothesis-profile=quick")
        mlflow = ["tests/contract/mlflow/test_client.py"]
        clients = [
            *pytest(mlflow, "-W", "default", served, python=CLIENTS / "mlflow" / "bin" / "python"),
            *pytest(folders("contract/cross"), served, "-n", "0"),
        ]
    return [
        [str(ROOT / "scripts" / "setup.sh"), "warehouse", "clients"],
        *suite,
        *files,
        *([*databases, *command] for command in several),
        *clients,
    ]


def browser() -> list[Command]:
    """Checks and tests of the page's own code, then a browser that looks at a real server."""
    if not (TESTS / "browser").is_dir():
        return []
    npm = [str(BIN / "python"), "-c", "import sys, hatch_build; hatch_build.npm(*sys.argv[1:])"]
    setup = str(ROOT / "scripts" / "setup.sh")
    return [
        [setup, "clients", "browser"],
        [*npm, "run", "--silent", "check"],
        [*npm, "test", "--silent"],
        *pytest(folders("browser"), "-m", "not long"),
    ]


def parts() -> list[Part]:
    """Every part in the order in which it runs, fast ones first."""
    setup = str(ROOT / "scripts" / "setup.sh")
    others = ("unit", "conformance", "api", "upgrade", "fuzzing")
    quick = folders("property", *others)
    loose = sorted(f"tests/{path.name}" for path in TESTS.glob("test_*.py"))
    clients = list(contract("-m", "not long"))
    found = [
        Part(
            name="check",
            budget=1,
            commands=[
                [str(BIN / "ruff"), "check", "--quiet", "."],
                [str(BIN / "ruff"), "format", "--quiet", "--check", "."],
                [str(BIN / "lint-imports")],
                [str(BIN / "mypy")],
                # Types that came with 3.11 are errors there: the client runs where the training does.
                [
                    str(BIN / "mypy"),
                    "--python-version=3.10",
                    "src/stepwell/agent",
                    "src/stepwell/client",
                    "src/stepwell/transfer",
                ],
            ],
        ),
        Part(
            name="docs",
            budget=1,
            commands=[
                [setup, "docs"],
                [str(BIN / "python"), "scripts/links.py"],
                [str(BIN / "python"), "scripts/site.py"],
            ],
        ),
        Part(
            name="fast",
            budget=1.5,
            commands=pytest([*loose, *quick], "-m", "not slow and not long", "--hypothesis-profile=quick"),
        ),
        Part(
            name="engine",
            budget=4,
            commands=[
                *pytest(folders("property"), "-m", "not long", "--hypothesis-profile=engine"),
                # hypothesis marks its tests: the fast part asked them a few examples only.
                *pytest(folders(*others), "-m", "(slow or hypothesis) and not long", "--hypothesis-profile=ci"),
            ],
        ),
        Part(name="clients", budget=6, again=True, commands=[[setup, "clients"], *clients] if clients else []),
        Part(
            name="client",
            budget=3,
            again=True,
            commands=[
                [setup, "clients"],  # the documents' code is run with them
                *pytest(folders("client", "transfer"), "-m", "not long", "--hypothesis-profile=ci"),
            ],
        ),
        Part(name="browser", budget=4, again=True, commands=browser()),
        Part(name="crash", budget=3, commands=pytest(folders("crash"), "-m", "not long", "--hypothesis-profile=ci")),
        Part(name="warehouse", budget=5, commands=warehouse()),
        Part(
            name="acceptance",
            budget=2,
            again=True,
            commands=pytest(folders("acceptance"), "-m", "not long"),
        ),
        Part(
            name="long",
            budget=600,
            commands=[
                *pytest(folders("property"), "--hypothesis-profile=long"),
                *pytest([*quick, *folders("crash", "acceptance")], "-m", "long", "--hypothesis-profile=long"),
                *([[setup, "clients"], *contract("-m", "long")] if clients else []),
                *frameworks(),
                *warehouse(everything=True),
            ],
        ),
    ]
    return [part for part in found if part.commands]


def run(command: Command, *, limit: float) -> str:
    """Runs one command in a process group of its own; "" when it succeeds, else what went wrong."""
    shown = " ".join(command).replace(f"{ROOT}/", "")
    print(f"\n$ {shown}", flush=True)
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"{shown}: still running after {limit:.0f} s"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    # A marker may select nothing from a folder that has tests.
    if status == 0 or (status == NO_TESTS_COLLECTED and "-m" in command[3:]):
        return ""
    return f"{shown}: exit status {status}"


def failed_tests(command: Command) -> list[str]:
    """The tests that failed when pytest ran last, of those that `command` runs."""
    kept = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
    names = json.loads(kept.read_text()) if kept.is_file() else {}
    return sorted(
        name for name in names if name.startswith(tuple(each for each in command if each.startswith("tests/")))
    )


def run_part(part: Part) -> Outcome:
    """Runs all commands of a part, also after one has failed."""
    print(f"\n--- {part.name} " + "-" * (110 - len(part.name)), flush=True)
    begin = time.monotonic()
    limit = begin + max(part.budget * GRACE, LEAST) * 60
    failures: list[str] = []
    unsteady: list[str] = []
    for command in part.commands:
        failure = run(command, limit=max(1.0, limit - time.monotonic()))
        names = failed_tests(command) if failure and part.again and "pytest" in command else []
        if names:
            failure = run([*command, "--last-failed", "-n", "0"], limit=max(1.0, limit - time.monotonic()))
            unsteady += [] if failure else names
        failures += [failure] if failure else []
    return Outcome(part=part, seconds=time.monotonic() - begin, failures=failures, unsteady=unsteady)


def clock(seconds: float) -> str:
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def report(outcomes: list[Outcome]) -> None:
    """Prints the table at the end, failures below it."""
    print(f"\n{'part':<12}{'time':>8}{'budget':>9}  result")
    for outcome in outcomes:
        late = " (over its budget)" if outcome.seconds > outcome.part.budget * 60 else ""
        result = "FAILED" if outcome.failures else "passed"
        budget = clock(outcome.part.budget * 60)
        print(f"{outcome.part.name:<12}{clock(outcome.seconds):>8}{budget:>9}  {result}{late}")
    print(f"{'all':<12}{clock(sum(o.seconds for o in outcomes)):>8}")
    for outcome in outcomes:
        for name in outcome.unsteady:
            print(f"unsteady, passed in its second run: {name}")
        for failure in outcome.failures:
            print(f"failed: {failure}")
    sys.stdout.flush()


def chosen(names: list[str]) -> list[Part]:
    """The parts named, in their order; all but `long` when none is named. Exits with 2 on an unknown name."""
    known = parts()
    unknown = sorted(set(names) - {part.name for part in known})
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(p.name for p in known)}", file=sys.stderr)
        sys.exit(2)
    return [part for part in known if (part.name in names if names else part.name != "long")]


def main() -> int:
    """Runs what the command line asks for; 0 when all of it passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=", ".join(part.name for part in parts()))
    outcomes = [run_part(part) for part in chosen(parser.parse_args().part)]
    report(outcomes)
    return int(any(outcome.failures for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
