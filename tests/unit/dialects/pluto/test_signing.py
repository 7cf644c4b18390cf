"""Links to files."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.core.errors import Forbidden
from stepwell.dialects.pluto.signing import PREFIX, Link
from stepwell.services.sealing import ServerKey, new_key

KEY = ServerKey(new_key())
NOW = 1_700_000_000
LINK = Link(method="PUT", workspace="w", run_key=7, path="a/b.txt", size=5, expires=NOW + 10)


def opened(url: str, method: str = "PUT", *, key: ServerKey = KEY, now: int = NOW, **changes: str) -> Link:
    parts = urlsplit(url)
    place = "/".join(unquote(part) for part in parts.path.removeprefix(PREFIX + "/").split("/"))
    query = {**dict(parse_qsl(parts.query)), **changes}
    return Link.of(method, place, query, key, now=now * 1_000_000)


@given(
    path=st.lists(st.text(min_size=1, max_size=8).filter(lambda part: "/" not in part), min_size=1, max_size=3),
    size=st.none() | st.integers(0, 10**17),
)
def test_a_link_is_opened_by_the_server_that_gave_it(path: list[str], size: int | None) -> None:
    try:
        "".join(path).encode()
    except UnicodeEncodeError:
        return
    link = Link(method="GET", workspace="w", run_key=7, path="/".join(path), size=size, expires=NOW + 1)
    url = link.url("http://x", KEY)
    assert opened(url, "GET") == opened(url, "HEAD") == link


def test_a_link_is_good_for_nothing_else() -> None:
    url = LINK.url("http://x", KEY)
    assert opened(url) == LINK
    for attempt in (
        lambda: opened(url, "GET"),
        lambda: opened(url, size="6"),
        lambda: opened(url, expires=str(NOW + 99)),
        lambda: opened(url, signature=""),
        lambda: opened(url, signature="é"),
        lambda: opened(url, expires="soon"),
        lambda: opened(url, size="-1"),
        lambda: opened(url.replace("/w/", "/v/")),
        lambda: opened(url.replace("/7/", "/8/")),
        lambda: opened(url.replace("/7/", "/x/")),
        lambda: opened(url.replace("b.txt", "c.txt")),
        lambda: opened(url.replace("/a/b.txt", "")),
        lambda: opened(url, key=ServerKey(new_key())),
        lambda: opened(url, now=NOW + 10),
    ):
        with pytest.raises(Forbidden):
            attempt()
