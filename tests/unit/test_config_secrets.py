"""Saving, masking and opening configs: secrets stay, are removed or change as requested, and are never visible."""

import json
from typing import Any

import pytest

from core.encryption import ENVELOPE, SecretKey, SecretKeys
from core.errors import BadUserInputError, InternalError
from core.limits import CONFIG_BYTES_MAX
from services.configs.secret_paths import SECRET_MARKER, iter_secrets, mask_change, mask_config
from services.secrets.config_secrets import open_config, seal_config, seal_secret

KEYS = SecretKeys([SecretKey.from_bytes(b"n" * 32)])
SOURCE = "source-1"
SECRET = {"type": "string", "sensitive": True, "minLength": 3}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {"type": "string"},
        "note": {"type": "string", "destination": False},
        "key": SECRET,
        "spare": SECRET,
        "proxy": {
            "type": "object",
            "properties": {"user": {"type": "string", "destination": False}, "password": SECRET},
            "required": ["user"],
        },
        "accounts": {"type": "array", "items": {"type": "object", "properties": {"id": {}, "token": SECRET}}},
        "words": {"type": "array", "items": SECRET},
        "certificate": {"type": "object", "sensitive": True},
    },
    "required": ["key"],
    "additionalProperties": False,
}


def _save_config(
    given: dict[str, Any], stored: dict[str, Any] | None = None, schema: Any = None
) -> dict[str, Any]:
    return seal_config(KEYS, SOURCE, schema or SCHEMA, given, stored or {})


def _open_config(stored: dict[str, Any]) -> dict[str, Any]:
    return open_config(KEYS, SOURCE, stored)


def _refused_fields(
    given: dict[str, Any], stored: dict[str, Any] | None = None, keys: SecretKeys = KEYS
) -> dict[str, str]:
    with pytest.raises(BadUserInputError) as caught:
        seal_config(keys, SOURCE, SCHEMA, given, stored or {})
    assert "hunter2" not in str(caught.value) + str(caught.value.extensions())
    return caught.value.fields


EVERYTHING = {
    "url": "https://psa.example",
    "key": "hunter2",
    "proxy": {"user": "ann", "password": "hunter2-proxy"},
    "accounts": [{"id": 1, "token": "hunter2-a"}, {"id": 2, "token": "hunter2-b"}],
    "words": ["hunter2-w", "hunter2-x"],
    "certificate": {"pem": "hunter2-pem", "chain": ["hunter2-chain", 1, None]},
}


def test_saved_config_seals_each_secret_and_nothing_else() -> None:
    stored = _save_config(EVERYTHING)
    assert "hunter2" not in json.dumps(stored)
    assert stored["url"] == "https://psa.example"
    assert stored["proxy"]["user"] == "ann"
    assert stored["certificate"].startswith(ENVELOPE)
    assert len(list(iter_secrets(stored, SCHEMA))) == 7
    assert _open_config(stored) == EVERYTHING


def test_opened_config_with_moved_envelope_is_refused() -> None:
    stored = _save_config(EVERYTHING)
    with pytest.raises(InternalError, match=r"config\.key of other"):
        open_config(KEYS, "other", {"key": stored["key"]})
    with pytest.raises(InternalError, match=r"config\.spare"):
        _open_config({"spare": stored["key"]})
    with pytest.raises(InternalError, match=r"config\.accounts\.0\.token"):
        _open_config({"accounts": [stored["accounts"][1]]})


@pytest.mark.parametrize("nothing", [{}, {"key": ""}, {"key": SECRET_MARKER}])
def test_saved_config_with_blank_secret_keeps_the_stored_one(nothing: dict[str, Any]) -> None:
    stored = _save_config({"url": "https://psa.example", "note": "old", "key": "hunter2"})
    again = _save_config({"url": "https://psa.example", "note": "new", **nothing}, stored)
    assert again == {"url": "https://psa.example", "note": "new", "key": stored["key"]}


def test_saved_config_with_new_secret_replaces_the_stored_one() -> None:
    stored = _save_config({"key": "hunter2"})
    assert _open_config(_save_config({"key": "hunter3"}, stored)) == {"key": "hunter3"}


def test_saved_config_with_null_removes_the_secret() -> None:
    stored = _save_config({"key": "hunter2", "spare": "hunter2"})
    assert _save_config({"spare": None}, stored) == {"key": stored["key"]}
    assert _refused_fields({"key": None}, stored) == {"config.key": "is required"}


@pytest.mark.parametrize("nothing", [{}, {"key": ""}, {"key": SECRET_MARKER}, {"key": None}])
def test_saved_config_with_blank_secret_and_none_stored_is_refused(nothing: dict[str, Any]) -> None:
    assert _refused_fields(nothing) == {"config.key": "is required"}


def test_saved_config_replaces_all_but_secrets() -> None:
    stored = _save_config(EVERYTHING)
    kept = {name: stored[name] for name in ("url", "key", "certificate")}
    assert _save_config({"url": EVERYTHING["url"]}, stored) == kept


def test_saved_config_keeps_nested_secret_with_its_object() -> None:
    stored = _save_config({"key": "hunter2", "proxy": {"user": "ann", "password": "hunter2"}})
    again = _save_config({"proxy": {"user": "bob"}}, stored)
    assert _open_config(again)["proxy"] == {"user": "bob", "password": "hunter2"}
    assert "proxy" not in _save_config({}, stored)


@pytest.mark.parametrize("nothing", ["", SECRET_MARKER])
def test_saved_config_with_blank_secret_in_a_list_is_refused(nothing: Any) -> None:
    stored = _save_config(EVERYTHING)
    given = {"accounts": [{"id": 2, "token": "hunter2-b"}], "words": ["hunter2", nothing]}
    assert list(_refused_fields(given, stored)) == ["config.words.1"]
    given = {"accounts": [{"id": 2, "token": nothing}]}
    assert list(_refused_fields(given, stored)) == ["config.accounts.0.token"]


def test_saved_config_with_missing_secret_in_a_list_removes_it() -> None:
    stored = _save_config(EVERYTHING)
    given = {"url": EVERYTHING["url"], "accounts": [{"id": 2}, {"id": 3, "token": None}]}
    assert _open_config(_save_config(given, stored))["accounts"] == [{"id": 2}, {"id": 3}]


def test_saved_config_with_invalid_secret_is_refused_and_not_shown() -> None:
    assert _refused_fields({"key": ["hunter2"]}) == {"config.key": "must be a string"}
    assert _refused_fields({"key": "hu"}) == {"config.key": "must have 3 characters or more"}
    assert _refused_fields({"key": "hunter2", "hunter": "hunter2"}) == {
        "config.hunter": "is not a property of the schema"
    }


@pytest.mark.parametrize(
    "given", [{"url": "enc:v1:abc"}, {"url": {"enc:v1:abc": 1}}, {"enc:v1:abc": 1}, {"accounts": ["enc:v1:"]}]
)
def test_saved_config_with_envelope_prefix_outside_secrets_is_refused(given: dict[str, Any]) -> None:
    (reason,) = _refused_fields({"key": "hunter2", **given}).values()
    assert reason == "must not begin with enc:v1:"


def test_saved_config_with_secret_like_an_envelope_is_sealed() -> None:
    stored = _save_config({"key": "enc:v1:hunter2"})
    assert "hunter2" not in stored["key"]
    assert _open_config(stored) == {"key": "enc:v1:hunter2"}


def test_saved_config_without_keys_refuses_new_secrets_only() -> None:
    assert "SECRET_KEYS" in _refused_fields({"key": "hunter2"}, keys=SecretKeys())["config.key"]
    stored = _save_config({"key": "hunter2"})
    assert seal_config(SecretKeys(), SOURCE, SCHEMA, {"note": "x"}, stored) == {"note": "x", **stored}


def test_saved_config_seals_stored_plaintext_secret() -> None:
    assert _open_config(_save_config({"key": SECRET_MARKER}, {"key": "hunter2"})) == {"key": "hunter2"}
    assert "hunter2" not in json.dumps(_save_config({"key": ""}, {"key": "hunter2"}))


def test_saved_config_with_unmarked_secret_keeps_it_sealed() -> None:
    stored = _save_config({"key": "hunter2"})
    unmarked = {"properties": {"key": {"type": "string"}}}
    assert _save_config({"key": SECRET_MARKER}, stored, unmarked) == stored
    assert _save_config({"key": "open"}, stored, unmarked) == {"key": "open"}


def test_saved_config_without_schema_refuses_any_property() -> None:
    assert seal_config(KEYS, SOURCE, None, {}, {}) == {}
    with pytest.raises(BadUserInputError) as caught:
        seal_config(KEYS, SOURCE, None, {"key": "hunter2"}, {})
    assert "hunter2" not in str(caught.value.extensions())


def test_saved_config_under_unredactable_schema_is_refused() -> None:
    schema = {"additionalProperties": SECRET}
    with pytest.raises(BadUserInputError, match="platform") as caught:
        seal_config(KEYS, SOURCE, schema, {"key": "hunter2"}, {})
    assert "hunter2" not in str(caught.value.extensions())


def test_saved_config_beyond_size_limit_is_refused() -> None:
    assert list(_refused_fields({"key": "x" * CONFIG_BYTES_MAX})) == ["config"]


@pytest.mark.parametrize("value", ["\ud800", [{"a": "\ud800"}]])
def test_saved_config_with_lone_surrogate_is_refused(value: Any) -> None:
    assert list(_refused_fields({"key": "hunter2", "url": value})) == ["config"]


def test_masked_config_hides_every_secret() -> None:
    assert mask_config(_save_config(EVERYTHING), SCHEMA) == {
        "url": "https://psa.example",
        "key": SECRET_MARKER,
        "proxy": {"user": "ann", "password": SECRET_MARKER},
        "accounts": [{"id": 1, "token": SECRET_MARKER}, {"id": 2, "token": SECRET_MARKER}],
        "words": [SECRET_MARKER, SECRET_MARKER],
        "certificate": SECRET_MARKER,
    }


def test_masked_change_marks_changed_secrets() -> None:
    before = _save_config({"key": "hunter2", "spare": "hunter2"})
    after = _save_config({"key": "hunter3", "note": "x"}, before)
    assert mask_change(before, after, SCHEMA) == [
        {"key": SECRET_MARKER, "spare": SECRET_MARKER},
        {"key": {"secret": True, "changed": True}, "spare": SECRET_MARKER, "note": "x"},
    ]
    assert mask_change({}, before, SCHEMA) == [{}, {"key": SECRET_MARKER, "spare": SECRET_MARKER}]
    assert mask_change(None, before, SCHEMA) == [None, {"key": SECRET_MARKER, "spare": SECRET_MARKER}]


def test_sealed_of_unset_value_returns_it() -> None:
    assert seal_secret(KEYS, SOURCE, ("key",), "") == ""
    assert seal_secret(KEYS, SOURCE, ("key",), None) is None
