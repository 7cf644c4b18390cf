"""Builds the documents of the project as a site in build/site; anything broken in them ends it.

The documents stand in many folders and link across them, so the site has the folders of the project: its documents, and
what they link to or show, are copied to where mkdocs.yml says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from links import LINK, ROOT, documents, prose

PAGES = ROOT / ".cache" / "docs" / "pages"
MKDOCS = ROOT / ".cache" / "docs" / "venv" / "bin" / "mkdocs"


def shown(document: Path) -> set[Path]:
    """The files of the project that a document links to."""
    names = (match.group(1) or match.group(2) for match in LINK.finditer(prose(document)))
    files = ((document.parent / name.partition("#")[0]).resolve() for name in names if ":" not in name)
    return {file for file in files if file.is_file() and file.is_relative_to(ROOT)}


def main() -> int:
    """Copies and builds; the exit status is that of mkdocs."""
    shutil.rmtree(PAGES, ignore_errors=True)
    pages = {page for page in documents() if page.parent.name != "changelog.d"}
    for file in pages.union(*map(shown, pages)):
        place = PAGES / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    # The word that MkDocs itself has of its successors is not about our pages.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run([MKDOCS, "build", "--strict"], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
