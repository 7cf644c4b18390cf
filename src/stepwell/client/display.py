"""What a notebook shows of a run. Every text of the user's is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_ROWS = 20


def table(
    url: str,
    run_id: str,
    *,
    state: str,
    params: Mapping[str, str],
    last: Mapping[str, object],
    step: object,
    problems: Mapping[str, int],
) -> str:
    """HTML without scripts and styles of its own."""
    rows = [("state", escape(state))]
    if last:
        rows.append(("step", escape(str(step))))
    numbers = [(name, value) for name, value in last.items() if isinstance(value, (int, float))]
    rows += [(escape(str(name)), escape(_short(value))) for name, value in numbers[:_ROWS]]
    rows += [(f"<i>{escape(name)}</i>", escape(_short(value))) for name, value in list(params.items())[:_ROWS]]
    rows += [("problem", f"{escape(what)} ({count})") for what, count in list(problems.items())[:_ROWS]]
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'<table><caption>run <a href="{escape(url)}">{escape(run_id)}</a></caption>{cells}</table>'


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else text[:199] + "…"
