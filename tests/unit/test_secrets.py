"""Saving, masking and opening configs: secrets stay, go or change as they are told, and are never seen."""

import json
from typing import Any

import pytest

from core.encryption import ENVELOPE, SecretKey, SecretKeys
from core.errors import BadUserInputError, InternalError
from core.limits import CONFIG_BYTES_MAX
from services.configs.places import MARKER, masked_change, masked_config, secrets_in
from services.secrets import opened_config, saved_config, sealed

KEYS = SecretKeys([SecretKey.of(b"n" * 32)])
SOURCE = "source-1"
SECRET = {"type": "string", "sensitive": True, "minLength": 3}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "url": {"type": "string"},
        "key": SECRET,
        "spare": SECRET,
        "proxy": {
            "type": "object",
            "properties": {"user": {"type": "string"}, "password": SECRET},
            "required": ["user"],
        },
        "accounts": {"type": "array", "items": {"type": "object", "properties": {"id": {}, "token": SECRET}}},
        "words": {"type": "array", "items": SECRET},
        "certificate": {"type": "object", "sensitive": True},
    },
    "required": ["key"],
    "additionalProperties": False,
}


def _saved(given: dict[str, Any], stored: dict[str, Any] | None = None, schema: Any = None) -> dict[str, Any]:
    return saved_config(KEYS, SOURCE, schema or SCHEMA, given, stored or {})


def _opened(stored: dict[str, Any]) -> dict[str, Any]:
    return opened_config(KEYS, SOURCE, stored)


def _fields(
    given: dict[str, Any], stored: dict[str, Any] | None = None, keys: SecretKeys = KEYS
) -> dict[str, str]:
    with pytest.raises(BadUserInputError) as caught:
        saved_config(keys, SOURCE, SCHEMA, given, stored or {})
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


def test_each_secret_is_sealed_and_the_rest_stays() -> None:
    stored = _saved(EVERYTHING)
    assert "hunter2" not in json.dumps(stored)
    assert stored["url"] == "https://psa.example"
    assert stored["proxy"]["user"] == "ann"
    assert stored["certificate"].startswith(ENVELOPE)
    assert len(list(secrets_in(stored, SCHEMA))) == 7
    assert _opened(stored) == EVERYTHING


def test_an_envelope_is_good_in_its_row_and_place_only() -> None:
    stored = _saved(EVERYTHING)
    with pytest.raises(InternalError, match=r"config\.key of other"):
        opened_config(KEYS, "other", {"key": stored["key"]})
    with pytest.raises(InternalError, match=r"config\.spare"):
        _opened({"spare": stored["key"]})
    with pytest.raises(InternalError, match=r"config\.accounts\.0\.token"):
        _opened({"accounts": [stored["accounts"][1]]})


@pytest.mark.parametrize("nothing", [{}, {"key": ""}, {"key": MARKER}])
def test_a_secret_that_nobody_gives_anew_stays(nothing: dict[str, Any]) -> None:
    stored = _saved({"url": "https://old.example", "key": "hunter2"})
    again = _saved({"url": "https://new.example", **nothing}, stored)
    assert again == {"url": "https://new.example", "key": stored["key"]}


def test_a_new_secret_takes_the_place_of_the_old_one() -> None:
    stored = _saved({"key": "hunter2"})
    assert _opened(_saved({"key": "hunter3"}, stored)) == {"key": "hunter3"}


def test_null_takes_a_secret_away() -> None:
    stored = _saved({"key": "hunter2", "spare": "hunter2"})
    assert _saved({"spare": None}, stored) == {"key": stored["key"]}
    assert _fields({"key": None}, stored) == {"config.key": "is required"}


@pytest.mark.parametrize("nothing", [{}, {"key": ""}, {"key": MARKER}, {"key": None}])
def test_without_an_old_secret_there_is_none_to_stay(nothing: dict[str, Any]) -> None:
    assert _fields(nothing) == {"config.key": "is required"}


def test_what_is_no_secret_is_replaced_as_a_whole() -> None:
    stored = _saved(EVERYTHING)
    assert _saved({}, stored) == {"key": stored["key"], "certificate": stored["certificate"]}


def test_a_secret_in_an_object_stays_with_the_object() -> None:
    stored = _saved({"key": "hunter2", "proxy": {"user": "ann", "password": "hunter2"}})
    again = _saved({"proxy": {"user": "bob"}}, stored)
    assert _opened(again)["proxy"] == {"user": "bob", "password": "hunter2"}
    assert "proxy" not in _saved({}, stored)


@pytest.mark.parametrize("nothing", ["", MARKER])
def test_secrets_in_a_list_are_given_again(nothing: Any) -> None:
    stored = _saved(EVERYTHING)
    given = {"accounts": [{"id": 2, "token": "hunter2-b"}], "words": ["hunter2", nothing]}
    assert list(_fields(given, stored)) == ["config.words.1"]
    given = {"accounts": [{"id": 2, "token": nothing}]}
    assert list(_fields(given, stored)) == ["config.accounts.0.token"]


def test_in_a_list_what_is_missing_is_gone() -> None:
    stored = _saved(EVERYTHING)
    given = {"accounts": [{"id": 2}, {"id": 3, "token": None}]}
    assert _opened(_saved(given, stored))["accounts"] == [{"id": 2}, {"id": 3}]


def test_a_secret_that_does_not_fit_is_not_shown() -> None:
    assert _fields({"key": ["hunter2"]}) == {"config.key": "must be text"}
    assert _fields({"key": "hu"}) == {"config.key": "must have 3 characters or more"}
    assert _fields({"key": "hunter2", "hunter": "hunter2"}) == {"config.hunter": "is not a property of it"}


@pytest.mark.parametrize(
    "given", [{"url": "enc:v1:abc"}, {"url": {"enc:v1:abc": 1}}, {"enc:v1:abc": 1}, {"accounts": ["enc:v1:"]}]
)
def test_nothing_that_looks_like_an_envelope_is_taken(given: dict[str, Any]) -> None:
    (reason,) = _fields({"key": "hunter2", **given}).values()
    assert reason == "must not begin with enc:v1:"


def test_a_secret_may_look_like_an_envelope() -> None:
    stored = _saved({"key": "enc:v1:hunter2"})
    assert "hunter2" not in stored["key"]
    assert _opened(stored) == {"key": "enc:v1:hunter2"}


def test_without_keys_a_secret_is_refused_and_the_rest_is_not() -> None:
    assert "SECRET_KEYS" in _fields({"key": "hunter2"}, keys=SecretKeys())["config.key"]
    stored = _saved({"key": "hunter2"})
    assert saved_config(SecretKeys(), SOURCE, SCHEMA, {"url": "x"}, stored) == {"url": "x", **stored}


def test_what_stood_there_in_the_clear_is_sealed_at_the_next_saving() -> None:
    assert _opened(_saved({"key": MARKER}, {"key": "hunter2"})) == {"key": "hunter2"}
    assert "hunter2" not in json.dumps(_saved({"key": ""}, {"key": "hunter2"}))


def test_a_secret_that_is_no_longer_marked_stays_sealed_until_it_is_given() -> None:
    stored = _saved({"key": "hunter2"})
    unmarked = {"properties": {"key": {"type": "string"}}}
    assert _saved({"key": MARKER}, stored, unmarked) == stored
    assert _saved({"key": "open"}, stored, unmarked) == {"key": "open"}


def test_without_a_schema_there_is_nothing_to_configure() -> None:
    assert saved_config(KEYS, SOURCE, None, {}, {}) == {}
    with pytest.raises(BadUserInputError) as caught:
        saved_config(KEYS, SOURCE, None, {"key": "hunter2"}, {})
    assert "hunter2" not in str(caught.value.extensions())


def test_under_a_schema_that_hides_secrets_nothing_is_saved() -> None:
    schema = {"additionalProperties": SECRET}
    with pytest.raises(BadUserInputError, match="platform") as caught:
        saved_config(KEYS, SOURCE, schema, {"key": "hunter2"}, {})
    assert "hunter2" not in str(caught.value.extensions())


def test_a_config_has_a_size() -> None:
    assert list(_fields({"key": "x" * CONFIG_BYTES_MAX})) == ["config"]


@pytest.mark.parametrize("value", [1 << 70, "\ud800"])
def test_json_that_not_everybody_reads_is_refused(value: Any) -> None:
    assert list(_fields({"key": "hunter2", "url": value})) == ["config"]


def test_masked() -> None:
    assert masked_config(_saved(EVERYTHING), SCHEMA) == {
        "url": "https://psa.example",
        "key": MARKER,
        "proxy": {"user": "ann", "password": MARKER},
        "accounts": [{"id": 1, "token": MARKER}, {"id": 2, "token": MARKER}],
        "words": [MARKER, MARKER],
        "certificate": MARKER,
    }


def test_the_audit_tells_that_a_secret_is_another_now() -> None:
    before = _saved({"key": "hunter2", "spare": "hunter2"})
    after = _saved({"key": "hunter3", "url": "x"}, before)
    assert masked_change(before, after, SCHEMA) == [
        {"key": MARKER, "spare": MARKER},
        {"key": {"secret": True, "changed": True}, "spare": MARKER, "url": "x"},
    ]
    assert masked_change({}, before, SCHEMA) == [{}, {"key": MARKER, "spare": MARKER}]
    assert masked_change(None, before, SCHEMA) == [None, {"key": MARKER, "spare": MARKER}]


def test_what_is_not_set_is_not_sealed() -> None:
    assert sealed(KEYS, SOURCE, ("key",), "") == ""
    assert sealed(KEYS, SOURCE, ("key",), None) is None
