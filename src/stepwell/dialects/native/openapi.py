"""The OpenAPI 3.1 document of the native API, made from the table of operations and the shapes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec
from msgspec import Struct

from stepwell.dialects.native import answers, raw
from stepwell.dialects.native.operations import OPERATIONS, PREFIX, Operation

_REFERENCE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(?P<name>\w+)(?::path)?\}")
_DESCRIPTION: Final = """The store of metrics of machine-learning training.

Tables are columnar: equally long lists, one per column. Times are integer microseconds since 1970 UTC, in fields that
end in `_us`. In a column a value that is not a finite number is null, and `non_finite` names its row and value;
requests write it as "NaN", "Infinity" or "-Infinity". Integers are 64-bit: times until the year 2255 and steps up to
9007199254740991 are also exact for readers that keep numbers as 64-bit floats.

A write is durable and visible to every read once it is answered, and stored whole or not at all. Unknown fields are
refused. Every error has the shape FailureAnswer."""
_ERRORS: Final = {
    400: "The request is not valid; the error names the field.",
    401: "A valid credential is required.",
    403: "The credential does not allow this, or the Host or Origin is foreign.",
    404: "It does not exist in this workspace.",
    409: "The name is taken, or the state of the thing does not allow this.",
    408: "No byte of the body came for too long.",
    413: "The body is larger than the limit.",
    415: "The body's Content-Encoding is not known.",
    503: "The server cannot take this now; nothing was stored. Retry-After says when to try again.",
    507: "No space is left on the device; nothing was stored.",
}
# Answered before anybody has read whose path it is.
_TOO_LONG: Final = "The path, the query string or the headers are too long; the error has a code and a message only."
_PARAMETERS: Final = {
    "view": {"type": "string"},
    "experiment_id": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "run_id": {"type": "string", "minLength": 1},
    "credential_id": {"type": "string", "minLength": 1},
    "task": {"type": "string", "minLength": 1, "maxLength": 255},
    "path": {"type": "string", "minLength": 1},
}


def document() -> dict[str, Any]:
    """The whole document, as JSON values. The order of everything is fixed."""
    shapes = list(dict.fromkeys(_shapes(OPERATIONS)))
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    schema_of = dict(zip(shapes, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        place = paths.setdefault(PREFIX + _PARAMETER.sub(r"{\g<name>}", operation.path), {})
        place[operation.verb.lower()] = _operation(operation, schema_of, components)
    used = _used(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stepwell API", "version": "1", "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {name: components[name] for name in sorted(components) if name in used},
            "parameters": {"workspace": _WORKSPACE},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The secret of a credential."},
                "basic": {"type": "http", "scheme": "basic", "description": "The credential's id and its secret."},
            },
        },
        "security": [{"bearer": []}, {"basic": []}, {}],
    }


_WORKSPACE: Final = {
    "name": "X-Stepwell-Workspace",
    "in": "header",
    "description": "The workspace of the request; without it the credential's own, or `default`.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 255},
}


def _shapes(operations: Sequence[Operation]) -> Iterator[Any]:
    for operation in operations:
        yield from (shape for shape in (operation.query, operation.body, operation.answer) if shape is not None)
    yield answers.FailureAnswer


def _operation(operation: Operation, schema_of: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [_path_parameter(name) for name in _PARAMETER.findall(operation.path)]
    parameters.append({"$ref": "#/components/parameters/workspace"})
    if operation.query is not None:
        parameters += _query_parameters(operation.query, components)
    found: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": f"Needs the role {operation.role.word} or a greater one.",
        "parameters": parameters,
        "responses": {str(operation.status): _answer(operation, schema_of)}
        | {str(status): _error(text, schema_of[answers.FailureAnswer]) for status, text in _ERRORS.items()}
        | {"431": _error(_TOO_LONG, {"type": "object"})},
    }
    if operation.body is not None:
        shape = schema_of[operation.body]
        content: dict[str, Any] = {"application/json": {"schema": shape}}
        if operation.raw_body:
            content[raw.POINTS] = _described(raw.points)
        required = bool(components[operation.body.__name__].get("required"))
        found["requestBody"] = {"required": required, "content": content}
    elif operation.verb == "PUT":
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}


def _query_parameters(query: type[Struct], components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shape = components[query.__name__]
    for name, schema in shape["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in shape["required"], "schema": _plain(schema)}
        if parameter["schema"].get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        yield parameter


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without null, which a query string cannot say."""
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        return dict(options[0])
    return schema


def _answer(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    if operation.status == 204:
        return {"description": "Done."}
    if operation.answer is None:
        content = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        return {"description": "The bytes.", "content": content}
    content = {"application/json": {"schema": schema_of[operation.answer]}}
    if operation.raw is not None:
        content[operation.raw.media_type] = _described(operation.raw.encode)
    return {"description": "Done.", "content": content}


def _described(form: Callable[..., Any]) -> dict[str, Any]:
    """Bytes of the form that a function of `raw` reads or makes, and describes."""
    words = " ".join(cleandoc(form.__doc__ or "").split())
    return {"schema": {"type": "string", "format": "binary", "description": words}}


def _error(text: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": shape}}}


def _used(value: Any, components: dict[str, Any]) -> set[str]:
    """The names of the schemas that `value` refers to, directly or through others."""
    used: set[str] = set()
    waiting = [value]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name in components and name not in used:
                    used.add(name)
                    waiting.append(components[name])
            case dict(found):
                waiting += found.values()
            case list(found):
                waiting += found
    return used
