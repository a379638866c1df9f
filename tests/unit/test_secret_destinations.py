"""A kept secret is not sent to a changed address, and no address contains a secret."""

from typing import Any, Final

import pytest

from core.encryption import SecretKey, SecretKeys
from core.errors import BadUserInputError
from core.limits import CONFIG_BYTES_MAX
from services.catalog.entries import CATALOG
from services.configs.credentials import carries_credentials
from services.configs.destinations import find_changed_destinations
from services.configs.secret_paths import SECRET_MARKER, mask_config
from services.secrets.config_secrets import open_config, seal_config
from tests.counted_work import fail_if_hung
from tests.credential_samples import CARRYING, INNOCENT

KEYS: Final = SecretKeys([SecretKey.from_bytes(b"n" * 32)])
SOURCE: Final = "source-1"
SECRET: Final = {"type": "string", "sensitive": True}
TEXT: Final = {"type": "string"}
SCHEMA: Final[dict[str, Any]] = {
    "properties": {
        "key": SECRET,
        "spare": SECRET,
        "note": {**TEXT, "destination": False},
        "where": {"type": "integer", "destination": True},
        "limit": {"type": "integer"},
        "port": {"type": "integer", "default": 443},
        "verifyTls": {"type": "boolean"},
        "mode": {"enum": ["a", "b"]},
        "region": {"enum": ["eu", "us"]},
        "since": {**TEXT, "format": "date"},
        "proxy": {"type": "object", "properties": {"host": TEXT, "password": SECRET}},
        "labels": {"type": "object", "destination": False},
    }
}
STORED: Final[dict[str, Any]] = {
    "url": "https://psa.example", "key": "hunter2", "note": "a", "where": 1, "limit": 1, "verifyTls": True,
    "mode": "a", "region": "eu", "since": "2026-01-01", "hosts": ["a.example", "b.example"],
    "proxy": {"host": "p.example"},
    "labels": {"team": "red"}, "directoryId": "d-1", "free": {"text": "x"},
}  # fmt: skip


def _refused_fields(given: dict[str, Any], stored: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadUserInputError) as caught:
        seal_config(KEYS, SOURCE, SCHEMA, given, stored)
    assert "hunter2" not in str(caught.value) + str(caught.value.extensions())
    return caught.value.fields


def _save_config(**more: Any) -> dict[str, Any]:
    return seal_config(KEYS, SOURCE, SCHEMA, {**STORED, **more}, {})


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"url": "https://evil.example"}, "url"),
        ({"url": "https://psa.example/"}, "url"),
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": ["https://psa.example"]}, "url"),
        ({"where": 2}, "where"),
        ({"port": 8443}, "port"),
        ({"port": "443"}, "port"),
        ({"verifyTls": False}, "verifyTls"),
        ({"verifyTls": 1}, "verifyTls"),
        ({"region": "us"}, "region"),
        ({"directoryId": "d-2"}, "directoryId"),
        ({"hosts": ["b.example", "a.example"]}, "hosts.0"),
        ({"hosts": ["a.example", "b.example", "evil.example"]}, "hosts.2"),
        ({"proxy": {"host": "evil.example"}}, "proxy.host"),
        ({"free": {"text": "y"}}, "free.text"),
        ({"anotherHost": "evil.example"}, "anotherHost"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("blank", ["", SECRET_MARKER, None], ids=["blank", "marker", "left out"])
def test_saved_config_with_changed_destination_requires_the_secret_again(
    change: dict[str, Any], place: str, blank: Any
) -> None:
    stored = _save_config()
    given = {**STORED, **change, "key": blank}
    if blank is None:
        del given["key"]
    fields = (
        _refused_fields(given, stored)
        if place not in ("port", "verifyTls")
        else _refused_key_fields(given, stored)
    )
    assert fields["config.key"].startswith(f"must be given again: `config.{place}` changes")
    assert "evil" not in str(fields)
    kept = seal_config(KEYS, SOURCE, {"properties": {"key": SECRET}}, {**given, "key": "hunter3"}, stored)
    assert open_config(KEYS, SOURCE, kept)["key"] == "hunter3"


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ({"ports": [443]}, {"ports": [8080]}, "ports.0"),
        ({"tls": {"enabled": True}}, {"tls": {"enabled": False}}, "tls.enabled"),
        ({"sslverify": True}, {"sslverify": False}, "sslverify"),
        ({}, {"ignoreCertErrors": True}, "ignoreCertErrors"),
        ({}, {"followRedirects": True}, "followRedirects"),
        ({"secure": True}, {"secure": False}, "secure"),
        ({}, {"trustAll": True}, "trustAll"),
        ({"target": 167772161}, {"target": 2130706433}, "target"),
        ({"hosts": {"a.example": True}}, {"hosts": {"evil.example": True}}, "hosts.a.example"),
    ],
)
def test_saved_config_with_changed_non_text_destination_requires_the_secret(
    before: dict[str, Any], after: dict[str, Any], place: str
) -> None:
    schema: dict[str, Any] = {"properties": {"key": SECRET}}
    stored = seal_config(KEYS, SOURCE, schema, {"key": "hunter2", **before}, {})
    assert seal_config(KEYS, SOURCE, schema, before, stored) == stored
    with pytest.raises(BadUserInputError) as caught:
        seal_config(KEYS, SOURCE, schema, after, stored)
    assert caught.value.fields["config.key"].startswith(f"must be given again: `config.{place}` changes")


def _refused_key_fields(given: dict[str, Any], stored: dict[str, Any]) -> dict[str, str]:
    """The errors, including those of fields that do not fit the schema in another way."""
    return {name: why for name, why in _refused_fields(given, stored).items() if name == "config.key"}


@pytest.mark.parametrize(
    "change",
    [
        {"note": "b"},
        {"limit": 2},
        {"mode": "b"},
        {"since": "2027-01-01"},
        {"labels": {"team": "blue", "url": "x"}},
        {"port": 443},
        {"anotherHost": ""},
        {"anotherHost": None},
        {"more": {}},
        {"spare": "hunter3"},
    ],
)
def test_saved_config_with_the_same_destinations_keeps_the_secret(change: dict[str, Any]) -> None:
    stored = _save_config()
    again = seal_config(KEYS, SOURCE, SCHEMA, {**STORED, **change, "key": ""}, stored)
    assert again["key"] == stored["key"]


def test_saved_config_with_one_secret_given_requires_the_others_too() -> None:
    stored = _save_config(spare="hunter2", proxy={"host": "p.example", "password": "hunter2"})
    fields = _refused_fields({**STORED, "url": "https://evil.example", "key": "hunter3"}, stored)
    assert set(fields) == {"config.spare", "config.proxy.password"}


def test_saved_config_with_plaintext_secret_requires_it_again() -> None:
    """The schema has marked it only since."""
    assert set(_refused_fields({"url": "b", "key": ""}, {"url": "a", "key": "hunter2"})) == {"config.key"}


def test_saved_config_with_unmarked_secret_requires_it_again() -> None:
    stored = _save_config()
    with pytest.raises(BadUserInputError) as caught:
        seal_config(KEYS, SOURCE, {"properties": {}}, {"url": "b", "key": SECRET_MARKER}, stored)
    assert set(caught.value.fields) == {"config.key"}


def test_saved_config_without_kept_secrets_may_change_destinations() -> None:
    stored = seal_config(KEYS, SOURCE, SCHEMA, {"url": "a"}, {})
    assert seal_config(KEYS, SOURCE, SCHEMA, {"url": "b"}, stored) == {"url": "b"}
    assert seal_config(KEYS, SOURCE, SCHEMA, {"url": "b", "key": None}, _save_config()) == {"url": "b"}


@pytest.mark.parametrize("entry", [e for e in CATALOG if e.config_schema], ids=lambda entry: entry.id)
def test_changed_destinations_of_catalog_are_all_but_secrets(entry: Any) -> None:
    for name, schema in entry.config_schema["properties"].items():
        changed = find_changed_destinations({name: "a"}, {name: "b"}, entry.config_schema)
        assert changed == ([] if schema.get("sensitive") else [(name,)])


@pytest.mark.parametrize("text", CARRYING)
def test_carries_credentials_of_a_text_with_them_is_true(text: str) -> None:
    assert carries_credentials(text)


@pytest.mark.parametrize("text", INNOCENT)
def test_carries_credentials_of_a_text_without_them_is_false(text: str) -> None:
    assert not carries_credentials(text)


@pytest.mark.parametrize(
    "part", ["//a:b", ":/", "a:", "=", "token", "token=", "&token", "//", ":\\", "a:b@ ", "1:"]
)
def test_carries_credentials_takes_linear_time(part: str) -> None:
    """A search that reads to the end from each part takes minutes."""
    text = part * (16 * CONFIG_BYTES_MAX // len(part)) + " @="
    with fail_if_hung():
        carries_credentials(text)


@pytest.mark.parametrize("text", CARRYING)
def test_saved_config_with_credentials_where_no_secret_belongs_is_refused(text: str) -> None:
    for given, place in (
        ({"url": text}, "config.url"),
        ({"hosts": ["a", text]}, "config.hosts.1"),
        ({"free": {"deep": [{"text": text}]}}, "config.free.deep.0.text"),
        ({"free": {text: "x"}}, "config.free.?"),
    ):
        fields = _refused_fields({"key": "x", **given}, {})
        assert list(fields) == [place]
        assert "must not contain credentials" in fields[place]
    stored = seal_config(KEYS, SOURCE, SCHEMA, {"key": text}, {})
    assert open_config(KEYS, SOURCE, stored) == {"key": text}


def test_stored_credentials_in_a_url_are_masked_and_sealed_at_the_next_save() -> None:
    old = {"url": "https://user:hunter2@psa.example", "note": "a"}
    shown = mask_config(old, SCHEMA)
    assert shown == {"url": SECRET_MARKER, "note": "a"}
    again = seal_config(KEYS, SOURCE, SCHEMA, {**shown, "note": "b"}, old)
    assert "hunter2" not in str(again)
    assert open_config(KEYS, SOURCE, again) == {**old, "note": "b"}
    assert open_config(KEYS, SOURCE, old) == old
