"""Writes the bill of materials of the server and its page, as CycloneDX 1.6: what the lock files pin, with licences.

It says the same for the same lock files: no time and no random number is in it. `make bom` writes build/bom.cdx.json.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "build" / "bom.cdx.json"
OWN: Final = "stepwell"
# Where the installed metadata has no SPDX expression: what the package's licence file says.
LICENCES: Final = {
    "apsw": "Zlib",  # or any that OSI approves, as it likes
    "botocore": "Apache-2.0",
    "clickhouse-driver": "MIT",
    "nvidia-ml-py": "BSD-3-Clause",
    "psycopg": "LGPL-3.0-only",
    "pyarrow": "Apache-2.0",
    "uvloop": "MIT OR Apache-2.0",
}
_PINNED: Final = re.compile(
    r"^([\w.-]+)==([\w.]+)(?: ; (.+?))? \\$((?:\n    --hash=sha256:[0-9a-f]+(?: \\)?)*)", re.MULTILINE
)


def bill() -> dict[str, Any]:
    """The whole document."""
    components = sorted([*_pinned("serve.txt"), *_extras(), *_page()], key=lambda each: str(each["bom-ref"]))
    names = {str(each["name"]): str(each["bom-ref"]) for each in components}
    required = [str(each["bom-ref"]) for each in components if each["scope"] == "required"]
    own: dict[str, Any] = {"type": "application", "bom-ref": OWN, "name": OWN, "version": _version()}
    edges = [{"ref": OWN, "dependsOn": required}, *(_edge(each, names) for each in components)]
    content = json.dumps([own, components, edges], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {"component": {**own, "licenses": [{"expression": "Apache-2.0"}]}},
        "components": components,
        "dependencies": edges,
    }


def _version() -> str:
    text = (ROOT / "src" / OWN / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    assert found, "the package says its version"
    return found[1]


def _pinned(file: str) -> Iterator[dict[str, Any]]:
    """What a lock file names, with the hashes of every wheel that may be installed."""
    text = (ROOT / "requirements" / file).read_text("utf-8")
    for name, version, marker, hashes in _PINNED.findall(text):
        found = re.findall(r"sha256:([0-9a-f]+)", hashes)
        properties = [{"name": f"{OWN}:wheel:sha256", "value": each} for each in found]
        if marker:
            properties.append({"name": f"{OWN}:marker", "value": marker})
        yield {**_python(name, version, scope="required"), "properties": properties}


def _extras() -> Iterator[dict[str, Any]]:
    """What is installed by those alone who ask for it; its version is theirs to choose."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    properties: dict[str, list[dict[str, str]]] = {}  # of a package that several extras may want
    for extra, wanted in project["optional-dependencies"].items():
        for requirement in wanted if extra != "server" else ():
            found = properties.setdefault(re.split(r"[\[<>=!~ ]", requirement)[0], [])
            found += [{"name": f"{OWN}:extra", "value": extra}, {"name": f"{OWN}:range", "value": requirement}]
    for name, found in properties.items():
        yield {**_python(name, None, scope="optional"), "properties": found}


def _page() -> Iterator[dict[str, Any]]:
    """What is built into the page."""
    for path, package in json.loads((ROOT / "ui" / "package-lock.json").read_text("utf-8"))["packages"].items():
        if path and not package.get("dev"):
            name, version = path.removeprefix("node_modules/"), package["version"]
            digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
            yield {
                **_component(name, version, f"pkg:npm/{name}@{version}", package["license"], scope="required"),
                "hashes": [{"alg": "SHA-512", "content": digest}],
            }


def _python(name: str, version: str | None, *, scope: str) -> dict[str, Any]:
    url = f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}"
    return _component(name, version, url, _licence(name), scope=scope)


def _component(name: str, version: str | None, url: str, licence: str, *, scope: str) -> dict[str, Any]:
    told = {"type": "library", "bom-ref": url, "name": name, **({"version": version} if version else {})}
    return {**told, "scope": scope, "purl": url, "licenses": [{"expression": licence}]}


def _licence(name: str) -> str:
    if name in LICENCES:
        return LICENCES[name]
    found = metadata.metadata(name).get("License-Expression")
    if not found:
        raise SystemExit(f"{name} does not say its licence; look it up, and add it to LICENCES")
    return str(found)


def _edge(component: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """What a component needs of what is here."""
    needed: set[str] = set()
    if str(component["purl"]).startswith("pkg:pypi/") and component["scope"] == "required":
        for requirement in metadata.requires(component["name"]) or ():
            name = re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")
            if "extra ==" not in requirement and name in names:
                needed.add(names[name])
    return {"ref": component["bom-ref"], "dependsOn": sorted(needed)}


def main() -> int:
    """Writes the file, and says where."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    found = bill()
    TARGET.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(found['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
