"""Checks that every link from one document of the project to another leads somewhere: to a file, and to its heading."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def documents() -> list[Path]:
    """The Markdown files that belong to the project, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(path for path in {ROOT / name for name in listed.stdout.splitlines()} if path.exists())


def prose(document: Path) -> str:
    """The text without its code blocks."""
    return FENCE.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """What a `#fragment` may name: headings in lower case, spaces as hyphens, signs dropped."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(document)))
    return {heading.strip().replace(" ", "-") for heading in kept}


def broken(document: Path) -> list[str]:
    """The links of a document that lead nowhere. Addresses of other sites are not visited."""
    found = []
    for match in LINK.finditer(prose(document)):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z+.-]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        if not file.exists():
            found.append(f"{document.relative_to(ROOT)}: {target}: no such file")
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            found.append(f"{document.relative_to(ROOT)}: {target}: no such heading")
    return found


def main() -> int:
    """Prints what is broken; 1 if anything is."""
    checked = documents()
    problems = [problem for document in checked for problem in broken(document)]
    print("\n".join([*problems, f"{len(checked)} documents, {len(problems)} broken links"]))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
