"""The tables of the dialect's README are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from stepwell.dialects import sap
from stepwell.dialects.sap import errors, rules, wire

README = Path(sap.__file__).with_name("README.md").read_text()


def test_every_endpoint_is_in_the_readme_and_nothing_else() -> None:
    named = set(re.findall(r"^\| `((?:GET|PATCH|DELETE) \S+)` \| supported", README, re.MULTILINE))
    assert named == {f"{route.verb} {route.path}" for route in sap.dialect().routes}


def test_every_limit_is_in_the_readme_and_nothing_else() -> None:
    told = [int(number) for number in re.findall(r"^\| [^|]+ \| (\d+) \|$", README, re.MULTILINE)]
    limits = [value for name, value in vars(rules).items() if name.isupper() and not name.startswith("_")]
    assert sorted(told) == sorted(limits)


def test_every_field_of_a_request_is_in_the_readme() -> None:
    told = set(re.findall(r"`([\w\[\].]+)`", README))
    fields = {f.name for f in msgspec.structs.fields(wire.MetricResource)} - {"metrics"}
    assert fields | {f"metrics[].{f.name}" for f in msgspec.structs.fields(wire.Metric)} <= told


def test_every_code_of_the_domain_is_in_the_readme() -> None:
    told = dict(re.findall(r"^\| `(\d{8})` \| (\d{3}) \|", README, re.MULTILINE))
    codes = {code: str(status) for _, (status, code) in errors._OF_DOMAIN}
    assert codes.items() <= told.items()
    assert all(code == f"02000{status}" for code, status in told.items() if code not in codes)
