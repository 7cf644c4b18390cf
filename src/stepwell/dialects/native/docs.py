"""The OpenAPI document as a page for people: plain HTML made here, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """HTML and the headers that keep it to itself."""

    html: bytes
    headers: tuple[tuple[str, str], ...]


def page(document: Mapping[str, Any]) -> Page:
    """The whole page."""
    style = resources.files(__package__).joinpath("docs.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    html = "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(document['info']['title'])}</title><style>{style}</style></head><body>",
            *_introduction(document["info"]),
            *_contents(document["paths"]),
            *(part for path, verbs in document["paths"].items() for part in _path(path, verbs)),
            "<h2>Shapes</h2>",
            *(part for name, shape in document["components"]["schemas"].items() for part in _shape(name, shape)),
            "</body></html>\n",
        )
    )
    security = (
        ("content-security-policy", f"{policy}; frame-ancestors 'none'"),
        ("referrer-policy", "no-referrer"),
    )
    return Page(html.encode(), security)


def _introduction(info: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h1>{escape(info['title'])} v{escape(info['version'])}</h1>"
    for paragraph in info["description"].split("\n\n"):
        yield f"<p>{escape(paragraph)}</p>"
    yield '<p>The same for programs: <a href="openapi.json">openapi.json</a></p>'


def _contents(paths: Mapping[str, Any]) -> Iterator[str]:
    yield "<table><thead><tr><th>verb</th><th>path</th><th></th></tr></thead><tbody>"
    for path, verbs in paths.items():
        for verb, operation in verbs.items():
            link = f'<a href="#{operation["operationId"]}">{escape(path)}</a>'
            yield f"<tr><td>{verb.upper()}</td><td>{link}</td><td>{escape(operation['summary'])}</td></tr>"
    yield "</tbody></table>"


def _path(path: str, verbs: Mapping[str, Any]) -> Iterator[str]:
    for verb, operation in verbs.items():
        yield f'<section><h3 id="{operation["operationId"]}"><b>{verb.upper()}</b> {escape(path)}</h3>'
        yield f"<p>{escape(operation['summary'])} {escape(operation['description'])}</p>"
        yield from _parameters([p for p in operation["parameters"] if "name" in p])
        if "requestBody" in operation:
            yield f"<p>Body: {_content(operation['requestBody'])}</p>"
        status, answer = next(iter(operation["responses"].items()))
        yield f"<p>Answer {status}: {_content(answer)}</p></section>"


def _parameters(parameters: list[Mapping[str, Any]]) -> Iterator[str]:
    if parameters:
        yield "<table><tbody>"
        for each in parameters:
            note = "required" if each["required"] else _default(each["schema"])
            cells = (each["name"], each["in"], _type(each["schema"]), note)
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        yield "</tbody></table>"


def _content(part: Mapping[str, Any]) -> str:
    if "content" not in part:
        return "no body"
    forms = part["content"].items()
    return " or ".join(f"{_type(content['schema'])} <small>{escape(kind)}</small>" for kind, content in forms)


def _shape(name: str, shape: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section><h3 id="{name}">{name}</h3>'
    for paragraph in shape.get("description", "").split("\n\n"):
        yield f"<p>{escape(paragraph)}</p>"
    yield "<table><tbody>"
    required = shape.get("required", ())
    for field, schema in shape.get("properties", {}).items():
        note = "required" if field in required else _default(schema)
        yield f"<tr><td>{escape(field)}</td><td>{_type(schema)}</td><td>{note}</td></tr>"
    yield "</tbody></table></section>"


def _default(schema: Mapping[str, Any]) -> str:
    return f"default {escape(json.dumps(schema['default']))}" if "default" in schema else ""


def _type(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return f'<a href="#{name}">{name}</a>'
        case {"anyOf": list(options)}:
            return " or ".join(_type(option) for option in options)
        case {"enum": list(words)}:
            return " | ".join(escape(json.dumps(word)) for word in words)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}{_range(schema)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
    kind = schema.get("format", schema.get("type", "anything"))
    return escape(str(kind)) + ("" if kind == "int64" else _range(schema))


def _range(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("minItems", schema.get("minLength")))
    high = schema.get("maximum", schema.get("maxItems", schema.get("maxLength")))
    if low is None and high is None:
        return ""
    return f" ({'' if low is None else low}..{'' if high is None else high})"
