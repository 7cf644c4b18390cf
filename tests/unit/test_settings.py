"""Where settings come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepwell.settings import Settings, SettingsError, is_loopback, load, places


def test_without_anything_the_defaults_hold():
    assert load({}, environ={}) == Settings()
    assert (Settings().host, Settings().port, Settings().auth) == ("127.0.0.1", 8585, "off")


def test_flags_come_before_variables_before_the_file_before_defaults(tmp_path: Path):
    config = tmp_path / "stepwell.toml"
    config.write_text('port = 1\nauth = "required"\nlog_level = "error"\n')
    environ = {"STEPWELL_PORT": "2", "STEPWELL_LOG_LEVEL": "debug", "STEPWELL_CONFIG": str(config)}
    settings = load({"port": "3", "host": None}, environ=environ)
    assert (settings.port, settings.log_level, settings.auth) == (3, "debug", "required")


def test_every_setting_can_come_from_each_source(tmp_path: Path):
    expected = Settings(
        host="localhost",
        port=0,
        data_dir=Path("d"),
        auth="required",
        key_file=Path("k"),
        insecure_http=True,
        behind_proxy=2,
        rate_limit=7,
        max_connections=9,
        log_level="warning",
        log_format="json",
    )
    given = {
        "host": "localhost",
        "port": "0",
        "data_dir": "d",
        "auth": "required",
        "key_file": "k",
        "insecure_http": "true",
        "behind_proxy": "2",
        "rate_limit": "7",
        "max_connections": "9",
        "log_level": "warning",
        "log_format": "json",
    }
    assert load(given, environ={}) == expected
    assert load({}, environ={f"STEPWELL_{name.upper()}": value for name, value in given.items()}) == expected
    config = tmp_path / "c.toml"
    config.write_text("\n".join(f'{name} = "{value}"' for name, value in given.items()))
    assert load({"config": str(config)}, environ={}) == expected
    config.write_text("port = 0\ninsecure_http = true")
    assert load({"config": str(config)}, environ={}) == Settings(port=0, insecure_http=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("behind_proxy", "10"),
        ("behind_proxy", "-1"),
        ("behind_proxy", "yes"),
        ("rate_limit", "-1"),
        ("rate_limit", "1.5"),
        ("rate_limit", "10000000"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "eighty"),
        ("port", ""),
        ("port", "8 5"),
        ("port", "٣"),
        ("port", True),
        ("auth", "maybe"),
        ("auth", ""),
        ("host", ""),
        ("host", "a\nb"),
        ("host", 5),
        ("data_dir", ""),
        ("data_dir", "a\0b"),
        ("key_file", ""),
        ("insecure_http", "perhaps"),
        ("log_level", "loud"),
        ("log_format", "xml"),
    ],
)
def test_a_bad_value_is_named_with_its_source(name: str, value: object):
    with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')}: "):
        load({name: value}, environ={})
    if isinstance(value, str):
        with pytest.raises(SettingsError, match=f"^STEPWELL_{name.upper()}: "):
            load({}, environ={f"STEPWELL_{name.upper()}": value})


@pytest.mark.parametrize(
    ("content", "message"),
    [("port = ", "not TOML"), ("prot = 1", "unknown setting 'prot'"), ('port = "x"', "port in .* is not a port")],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str):
    config = tmp_path / "c.toml"
    config.write_text(content)
    with pytest.raises(SettingsError, match=message) as caught:
        load({"config": str(config)}, environ={})
    assert str(config) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        load({"config": str(tmp_path / "none.toml")}, environ={})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "stepwell.example"])
def test_beyond_this_machine_credentials_and_a_word_about_encryption_are_needed(host: str):
    with pytest.raises(SettingsError, match="--auth required is needed"):
        load({"host": host}, environ={})
    with pytest.raises(SettingsError, match="--auth required is needed"):
        load({"host": host, "insecure_http": True}, environ={})
    with pytest.raises(SettingsError, match="--insecure-http"):
        load({"host": host, "auth": "required"}, environ={})
    assert load({"host": host, "auth": "required", "insecure_http": True}, environ={}).host == host
    assert load({"host": host, "auth": "required", "behind_proxy": 1}, environ={}).host == host


def test_behind_a_proxy_credentials_are_needed():
    with pytest.raises(SettingsError, match=r"behind_proxy 1 .* --auth required is needed"):
        load({"behind_proxy": 1}, environ={})
    assert load({"behind_proxy": 0}, environ={}) == Settings()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("x", False),
    ],
)
def test_loopback(host: str, local: bool):
    assert is_loopback(host) is local


def test_data_directory_and_key_file_alone():
    assert places(data_dir=None, environ={}) == Settings()
    env = {"STEPWELL_DATA_DIR": "e", "STEPWELL_KEY_FILE": "k"}
    assert places(data_dir=None, environ=env) == Settings(data_dir=Path("e"), key_file=Path("k"))
    assert places(data_dir="f", key_file="g", environ=env) == Settings(data_dir=Path("f"), key_file=Path("g"))


@pytest.mark.parametrize("name", ["data_dir", "key_file", "store"])
def test_a_place_that_is_none_is_named_as_the_server_names_it(name: str):
    flags: dict[str, object] = {"data_dir": None, name: ""}
    with pytest.raises(SettingsError, match=f"^--{name.replace('_', '-')}: "):
        places(**flags, environ={})
    with pytest.raises(SettingsError, match=f"^STEPWELL_{name.upper()}: "):
        places(data_dir=None, environ={f"STEPWELL_{name.upper()}": ""})


URL = "warehouse://?clickhouse=clickhouse://h/d&catalog=postgresql://u:secret@h/d&files=/f"


def test_a_warehouse_takes_the_place_of_the_directory_unless_a_nearer_source_names_one():
    assert Settings(data_dir=Path("d")).place == Path("d")
    assert load({"store": URL, "data_dir": "d"}, environ={}).place == URL
    assert load({}, environ={"STEPWELL_STORE": URL, "STEPWELL_DATA_DIR": "d"}).place == URL
    assert load({"data_dir": "d"}, environ={"STEPWELL_STORE": URL}).place == Path("d")
    assert places(data_dir=None, environ={"STEPWELL_STORE": URL}).place == URL
    assert places(data_dir="d", environ={"STEPWELL_STORE": URL}).place == Path("d")
    assert places(data_dir="d", store=URL, environ={}).place == URL


@pytest.mark.parametrize("value", ["", "/d", URL + "\n", URL.replace("warehouse", "storehouse")])
def test_what_is_no_url_of_a_warehouse_is_refused_and_not_repeated(value: str):
    with pytest.raises(SettingsError, match="--store: not the URL") as refused:
        load({"store": value}, environ={})
    assert "secret" not in str(refused.value)


def test_settings_do_not_show_the_passwords_of_a_store():
    assert "secret" not in repr(load({"store": URL}, environ={}))
