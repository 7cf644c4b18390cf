"""Routes and dialects as values, and finding the route of a path. Literal paths are one dictionary look-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from stepwell.core.access import Role
from stepwell.core.errors import StepwellError
from stepwell.web.auth import PUBLIC_PATHS
from stepwell.web.call import Call
from stepwell.web.errors import HttpProblem, not_found, wrong_verb
from stepwell.web.response import Response

Endpoint: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` has literal segments, `{name}` for one segment, and at its end perhaps `{name:path}` for one or more.

    A GET route answers HEAD too. `public` routes need no credential. One with `about_process` tells of this process
    alone, and does so also while the store does not answer: to who was known before, and whatever quotas are then.
    """

    verb: str
    path: str
    endpoint: Endpoint
    role: Role = Role.READER
    public: bool = False
    about_process: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A vendor's interface. The longest prefix that fits a path decides whose error shape unknown paths and verbs get.

    A prefix fits itself and everything below it, one of `paths` itself alone. `workspace` may raise StepwellError or
    HttpProblem. `readme` says in a table what is supported and what is refused; there the letters of `shorthand` stand
    for the beginnings of paths.
    """

    name: str
    prefixes: tuple[str, ...]
    routes: tuple[Route, ...]
    workspace: Callable[[Call], str]
    error_response: Callable[[StepwellError | HttpProblem, Call], Response]
    paths: tuple[str, ...] = ()
    readme: str = ""
    shorthand: Mapping[str, str] = field(default_factory=dict)


def readme_of(package: str) -> str:
    """The README.md of a package."""
    return files(package).joinpath("README.md").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Match:
    """A route, the dialect that it belongs to, and what its pattern caught."""

    route: Route
    dialect: Dialect
    params: Mapping[str, str]


@dataclass(slots=True)
class _Place:
    """A node of the tree of patterns."""

    literal: dict[str, _Place] = field(default_factory=dict)
    segment: _Place | None = None
    here: dict[str, tuple[Route, Dialect, tuple[str, ...]]] = field(default_factory=dict)
    rest: dict[str, tuple[Route, Dialect, tuple[str, ...]]] = field(default_factory=dict)


class Router:
    """All routes of all dialects. Two routes for one verb and path are a programming error and raise ValueError."""

    def __init__(self, dialects: Sequence[Dialect], *, fallback: Dialect) -> None:
        self._fallback = fallback
        self._literal: dict[bytes, dict[str, Match]] = {}
        self._tree = _Place()
        self._prefixes = sorted(
            ((prefix.rstrip("/"), dialect) for dialect in dialects for prefix in dialect.prefixes),
            key=lambda pair: len(pair[0]),
            reverse=True,
        )
        self._paths = {path: dialect for dialect in dialects for path in dialect.paths}
        self.dialects = tuple(dialects)
        for dialect in dialects:
            for route in dialect.routes:
                self._add(route, dialect)

    def literal(self, verb: str, raw_path: bytes) -> Match | None:
        """The fast way: a path without parameters, written plainly."""
        verbs = self._literal.get(raw_path)
        return None if verbs is None else verbs.get(verb)

    def find(self, verb: str, raw_path: bytes) -> Match:
        """The route of a path as it came over the wire. HttpProblem: 404, 405 with Allow, 400 for a malformed path."""
        segments = _decoded_segments(raw_path)
        path = "/".join(segments)
        if verb == "HEAD":
            verb = "GET"
        caught: list[str] = []
        found = self._walk(self._tree, segments, 1, caught)
        if found is None:
            raise not_found(path)
        if verb not in found:
            raise wrong_verb(verb, path, _allowed(found))
        route, dialect, names = found[verb]
        return Match(route, dialect, dict(zip(names, caught, strict=True)))

    def dialect_of(self, path: str) -> Dialect:
        """Whose error shape an unknown path gets."""
        if path in self._paths:
            return self._paths[path]
        for prefix, dialect in self._prefixes:
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
                return dialect
        return self._fallback

    def _add(self, route: Route, dialect: Dialect) -> None:
        if route.public and route.path not in PUBLIC_PATHS:
            raise ValueError(f"{route.path} is not in the list of public paths")
        segments = route.path.split("/")
        names: list[str] = []
        place = self._tree
        for position, segment in enumerate(segments[1:], 1):
            if segment.startswith("{") and segment.endswith(":path}"):
                if position != len(segments) - 1:
                    raise ValueError(f"{route.path}: only the last segment may be a path")
                names.append(segment[1:-6])
                _put(place.rest, route, dialect, tuple(names))
                return
            if segment.startswith("{"):
                names.append(segment[1:-1])
                place.segment = place.segment or _Place()
                place = place.segment
            else:
                place = place.literal.setdefault(segment, _Place())
        _put(place.here, route, dialect, tuple(names))
        if not names:
            verbs = self._literal.setdefault(route.path.encode(), {})
            verbs[route.verb] = Match(route, dialect, {})

    def _walk(
        self, place: _Place, segments: list[str], at: int, caught: list[str]
    ) -> dict[str, tuple[Route, Dialect, tuple[str, ...]]] | None:
        """Depth first, literal segments before parameters; `caught` holds the parameters of the way found."""
        if at == len(segments):
            return place.here or None
        segment = segments[at]
        if (below := place.literal.get(segment)) is not None:
            found = self._walk(below, segments, at + 1, caught)
            if found is not None:
                return found
        if place.segment is not None and segment:
            caught.append(segment)
            found = self._walk(place.segment, segments, at + 1, caught)
            if found is not None:
                return found
            caught.pop()
        if place.rest:
            rest = "/".join(segments[at:])
            if rest:
                caught.append(rest)
                return place.rest
        return None


def _put(
    verbs: dict[str, tuple[Route, Dialect, tuple[str, ...]]], route: Route, dialect: Dialect, names: tuple[str, ...]
) -> None:
    if route.verb in verbs:
        raise ValueError(f"two routes for {route.verb} {route.path}")
    verbs[route.verb] = (route, dialect, names)


def _allowed(verbs: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(sorted({*verbs, "HEAD"} if "GET" in verbs else verbs))


def _decoded_segments(raw_path: bytes) -> list[str]:
    """Split before decoding, so that %2F stays inside its segment."""
    try:
        if b"%" not in raw_path:
            return raw_path.decode("ascii").split("/")
        return [unquote_to_bytes(segment).decode("utf-8") for segment in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise HttpProblem(400, "malformed_path", "the path is not percent-encoded UTF-8") from None
