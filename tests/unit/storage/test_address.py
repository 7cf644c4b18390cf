"""The URL of a warehouse: what is taken, and that no error repeats what may be a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from stepwell.core.errors import Invalid
from stepwell.storage import folder_of, told
from stepwell.storage.warehouse import Address

CLICKHOUSE = "clickhouse://u:hidden@h1,h2:9000/points"
CATALOG = "postgresql://u:hidden@h/catalog?sslmode=require"


def url(clickhouse: str = CLICKHOUSE, catalog: str = CATALOG, files: str = "/shared/files") -> str:
    return f"warehouse://?clickhouse={quote(clickhouse)}&catalog={quote(catalog)}&files={quote(files)}"


def test_an_address_is_its_url():
    address = Address.of(url())
    assert address == Address(clickhouse=CLICKHOUSE, catalog=CATALOG, files=Path("/shared/files"))
    assert Address.of(address.url) == address
    assert folder_of(url()) == Path("/shared/files")


def test_a_password_is_percent_encoded_twice():
    password = quote("a/b@c&d?e=f#g h%", safe="")
    given = url(catalog=f"postgresql://u:{password}@h:5433/d")
    assert Address.of(given).catalog == f"postgresql://u:{password}@h:5433/d"


def test_people_see_the_places_alone():
    assert told(url()) == "warehouse (clickhouse h1,h2:9000/points, catalog h/catalog, files /shared/files)"
    assert told(Path("d")) == str(Path("d").resolve())


@pytest.mark.parametrize(
    "given",
    [
        "warehouse:",
        "warehouse://hidden?clickhouse=a",
        "storehouse://?clickhouse=hidden",
        "warehouse://?",
        f"warehouse://?clickhouse={CLICKHOUSE}&catalog={CATALOG}",
        url() + "&hidden=1",
        url() + "&files=/other",
        url().replace("hidden", "pass&hidden"),
        url(files="hidden"),
        url(files="/a\0hidden"),
        url(clickhouse="http://u:hidden@h/points"),
        url(clickhouse="clickhouse://u:pass/hidden@h/points"),
        url(clickhouse="clickhouse://u:12/hidden@h/points"),
        url(clickhouse="clickhouse://u:pass@hidden@h/points"),
        url(clickhouse="clickhouse://h:port/points"),
        url(catalog="mysql://u:hidden@h/catalog"),
        url(catalog="postgresql://u:pass/hidden@h/catalog"),
        url(catalog="postgresql://u:12?hidden@h/catalog"),
        url(catalog="postgresql://u:pass@hidden@h/catalog"),
        url(catalog="postgresql://[hidden/catalog"),
    ],
)
def test_what_is_no_such_url_is_not_repeated(given: str):
    with pytest.raises(Invalid) as refused:
        Address.of(given)
    assert "hidden" not in refused.value.message
    assert refused.value.field == "store"
