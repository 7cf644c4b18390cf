"""The URL of a warehouse: what is taken, and that no error repeats what may be a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from stepwell.core.errors import Invalid
from stepwell.storage import folder_of, told
from stepwell.storage.warehouse import Address
from stepwell.storage.warehouse.address import Bucket
from stepwell.storage.warehouse.points.hosts import Place

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


def test_a_server_may_be_named_by_an_address_of_ipv6():
    place = Place.of(Address.of(url(clickhouse="clickhouse://u:p@[::1]:9001,[fe80::2],h/d")).clickhouse)
    assert place.hosts == (("::1", 9001), ("fe80::2", 9000), ("h", 9000))
    options = place.options(0)
    assert (options["host"], options["alt_hosts"]) == ("::1", "[fe80::2]:9000,h:9000")


def test_tls_is_a_scheme_of_its_own():
    given = "clickhouses://u:p@h1,h2:9001/d?cluster=fleet&ca_certs=/etc/ssl/our%20ca.pem"
    address = Address.of(url(clickhouse=given))
    assert Address.of(address.url) == address
    place = Place.of(address.clickhouse)
    assert place.hosts == (("h1", 9440), ("h2", 9001))
    for options in (place.options(1), place.only(("h1", 9440))):
        assert (options["secure"], options["ca_certs"]) == (True, "/etc/ssl/our ca.pem")
    assert told(address.url).startswith("warehouse (clickhouse h1,h2:9001/d, ")
    assert not Place.of(CLICKHOUSE).options(0)["secure"]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("clickhouse://u:hidden@h/d?ca_certs=/ca.pem", "clickhouses:// alone"),
        ("clickhouses://u:hidden@h/d?ca_certs=ca.pem", "clickhouses://"),
        ("clickhouses://u:hidden@h/d?ca_certs=", "clickhouses://"),
        ("clickhouses://u:hidden@h/d?ca_certs=/a&ca_certs=/b", "clickhouses://"),
        ("clickhouses://u:hidden@h/d?verify=false", "clickhouses://"),
        ("clickhouse://u:hidden@h/d?secure=true", "clickhouses://"),
        ("clickhouses://u:hidden@h:70000/d", "clickhouses://"),
        ("clickhousess://u:hidden@h/d", "clickhouses://"),
    ],
)
def test_half_of_what_tls_needs_is_refused(given: str, word: str):
    with pytest.raises(Invalid, match=word) as refused:
        Place.of(given)
    assert "hidden" not in refused.value.message
    assert refused.value.field == "store"


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_without_certificates_is_refused(tmp_path: Path, text: str | None):
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Invalid, match=f"ca_certs.*{file}.*cannot be used: .+"):
        Place.of(f"clickhouses://u:hidden@h/d?ca_certs={file}").check()


def test_people_see_the_places_alone():
    assert told(url()) == "warehouse (clickhouse h1,h2:9000/points, catalog h/catalog, files /shared/files)"
    assert told(Path("d")) == str(Path("d").resolve())


BUCKET = "s3://k%3Aey:hid%2Fden@files/of/stepwell?endpoint=https://objects.example.com:9000&region=eu-1"


def test_files_may_be_in_a_bucket():
    address = Address.of(url(files=BUCKET))
    assert address.files == Bucket(
        name="files",
        prefix="of/stepwell/",
        endpoint="https://objects.example.com:9000",
        region="eu-1",
        addressing="path",
        key="k:ey",
        secret="hid/den",
    )
    assert Address.of(address.url) == address
    assert folder_of(address.url) is None
    assert told(url(files=BUCKET)).endswith(", files s3://files/of/stepwell at objects.example.com:9000)")
    assert "den" not in repr(address.files)


def test_of_a_bucket_its_name_is_enough():
    for given in ("s3://my.files", "s3://my.files/"):
        address = Address.of(url(files=given))
        assert address.files == Bucket(name="my.files")
        assert Address.of(address.url) == address
        assert told(url(files=given)).endswith(", files s3://my.files)")
    virtual = Address.of(url(files="s3://my.files/a?endpoint=http://[::1]:9000/s3/&addressing=virtual"))
    assert virtual.files == Bucket(name="my.files", prefix="a/", endpoint="http://[::1]:9000/s3", addressing="virtual")


@pytest.mark.parametrize(
    "given",
    [
        url(files="s3:hidden"),
        url(files="s3://"),
        url(files="s3://hidden@files"),
        url(files="s3://key:hid/den@files"),
        url(files="s3://files").replace("s3%3A//", "s3://key:hid+den@"),
        url(files="s3://files/hidden/."),
        url(files="s3://files/hidden/../other"),
        url(files="s3://files?endpoint=objects.hidden"),
        url(files="s3://files?endpoint=ftp://objects.hidden"),
        url(files="s3://files?endpoint=https://key:hidden@objects"),
        url(files="s3://files?endpoint=https://objects?hidden=1"),
        url(files="s3://files?addressing=hidden"),
        url(files="s3://files?region=eu&region=hidden"),
        url(files="s3://files?hidden=1"),
        url(files="s3://files?secret=hidden"),
        url().replace("/shared/files", "s3://files?region=hidden&endpoint=https://objects"),
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
