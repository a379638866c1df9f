"""Which schemas may stand in the catalogue, and what they say of a config."""

from typing import Any

import pytest

from core.errors import BadUserInputError
from services.configs.schemas import require_redactable
from services.configs.validation import misfits
from services.demo.catalogue import CATALOGUE

SECRET = {"type": "string", "sensitive": True}
HIDDEN = "hunter2-in-the-wrong-field"


def _refused(schema: Any) -> dict[str, str]:
    with pytest.raises(BadUserInputError) as caught:
        require_redactable(schema)
    return caught.value.fields


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_the_demos_schemas_are_good(entry: Any) -> None:
    if entry.config_schema is not None:
        require_redactable(entry.config_schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": {"a": {"properties": {"b": SECRET}}}},
        {"properties": {"a": {"items": {"properties": {"b": SECRET}}}}},
        {"properties": {"sensitive": {"type": "string"}}, "required": ["sensitive"]},
        {"properties": {"a": {"default": {"sensitive": True}, "examples": [{"sensitive": True}]}}},
        {"properties": {"a": {"sensitive": False}}, "patternProperties": {"^x": {"sensitive": False}}},
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"properties": {"a": True}},
    ],
)
def test_what_we_follow_is_taken(schema: dict[str, Any]) -> None:
    require_redactable(schema)


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"patternProperties": {"^x": SECRET}}, "configSchema.patternProperties.^x.sensitive"),
        ({"additionalProperties": SECRET}, "configSchema.additionalProperties.sensitive"),
        ({"unevaluatedProperties": SECRET}, "configSchema.unevaluatedProperties.sensitive"),
        ({"oneOf": [{}, {"properties": {"a": SECRET}}]}, "configSchema.oneOf.1.properties.a.sensitive"),
        ({"anyOf": [SECRET]}, "configSchema.anyOf.0.sensitive"),
        ({"allOf": [{"properties": {"a": SECRET}}]}, "configSchema.allOf.0.properties.a.sensitive"),
        ({"if": {"properties": {"a": SECRET}}}, "configSchema.if.properties.a.sensitive"),
        ({"then": {"properties": {"a": SECRET}}}, "configSchema.then.properties.a.sensitive"),
        ({"not": SECRET}, "configSchema.not.sensitive"),
        ({"$defs": {"key": SECRET}}, "configSchema.$defs.key.sensitive"),
        ({"dependentSchemas": {"a": {"items": SECRET}}}, "configSchema.dependentSchemas.a.items.sensitive"),
        ({"properties": {"a": {"prefixItems": [SECRET]}}}, "configSchema.properties.a.prefixItems.0.sensitive"),
        ({"properties": {"a": {"contains": SECRET}}}, "configSchema.properties.a.contains.sensitive"),
        ({"properties": {"a": {"$ref": "#/$defs/a"}}}, "configSchema.properties.a.$ref"),
        ({"$ref": "https://schemas.example/config"}, "configSchema.$ref"),
        ({"oneOf": [{"$dynamicRef": "#a"}]}, "configSchema.oneOf.0.$dynamicRef"),
        ({"sensitive": True}, "configSchema.sensitive"),
        ({"properties": {"a": {"sensitive": "yes"}}}, "configSchema.properties.a.sensitive"),
        ({"type": "objekt"}, "configSchema.type"),
        ({"properties": {"a": {"pattern": "("}}}, "configSchema.properties.a.pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "configSchema"),
        ([], "configSchema"),
        ("secret", "configSchema"),
    ],
)  # fmt: skip
def test_what_we_do_not_follow_is_refused(schema: Any, place: str) -> None:
    assert list(_refused(schema)) == [place]


def test_a_bottomless_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"properties": {"a": schema}}
    assert "nest" in _refused(schema)["configSchema"]


FORM = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "format": "uri"},
        "key": {"type": "string", "sensitive": True, "minLength": 5, "pattern": "^k", "enum": ["kingfisher"]},
        "region": {"enum": ["eu", "us"]},
        "port": {"type": ["integer", "null"], "minimum": 1},
        "mail": {"format": "email"},
        "id": {"format": "uuid"},
        "since": {"format": "date-time"},
        "hosts": {"type": "array", "items": {"format": "ipv4"}, "minItems": 1},
        "group": {"type": "object", "required": ["name"], "properties": {"name": {"maxLength": 3}}},
        "never": False,
        "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
    },
    "required": ["url"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({}, {"config.url": "is required"}),
        ({"url": HIDDEN}, {"config.url": "must be written as the format uri says"}),
        ({"url": "https://"}, {"config.url": "must be written as the format uri says"}),
        ({"url": "https://a:99999/"}, {"config.url": "must be written as the format uri says"}),
        ({"region": HIDDEN}, {"config.region": "must be one of eu, us"}),
        ({"port": HIDDEN}, {"config.port": "must be a whole number or null"}),
        ({"port": 0}, {"config.port": "must be 1 or more"}),
        ({"mail": HIDDEN}, {"config.mail": "must be written as the format email says"}),
        ({"id": HIDDEN}, {"config.id": "must be written as the format uuid says"}),
        ({"since": "2026-01-01"}, {"config.since": "must be written as the format date-time says"}),
        ({"hosts": ["10.0.0.1", HIDDEN]}, {"config.hosts.1": "must be written as the format ipv4 says"}),
        ({"hosts": []}, {"config.hosts": "must have 1 elements or more"}),
        ({"group": {}}, {"config.group.name": "is required"}),
        ({"group": {"name": HIDDEN}}, {"config.group.name": "must have 3 characters or fewer"}),
        ({"other": HIDDEN}, {"config.other": "is not a property of it"}),
        ({"never": HIDDEN}, {"config": "does not fit what the schema says of it"}),
        ({"either": HIDDEN}, {"config.either": "does not fit what anyOf says of it"}),
    ],
)
def test_what_does_not_fit_is_named_and_not_shown(config: dict[str, Any], fields: dict[str, str]) -> None:
    url = {"url": "https://psa.example:8443/api"} if config and "url" not in config else {}
    assert misfits({**url, **config}, FORM) == fields


def test_what_a_secret_must_equal_is_not_told() -> None:
    fields = misfits({"url": "https://psa.example", "key": "kestrel"}, FORM)
    assert fields == {"config.key": "does not fit"}


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert set(misfits({"region": 1, "port": "1", "x": 1, "y": 2}, FORM)) == {
        "config.url", "config.region", "config.port", "config.x", "config.y"
    }  # fmt: skip


def test_a_good_config_fits() -> None:
    good = {
        "url": "https://psa.example", "key": "kingfisher", "region": "eu", "port": None, "mail": "a@b.example",
        "id": "0190d0a8-6c8a-7000-8000-000000000000", "since": "2026-01-01T00:00:00Z", "hosts": ["10.0.0.1"],
        "group": {"name": "a"}, "either": 3,
    }  # fmt: skip
    assert misfits(good, FORM) == {}


def test_secrets_that_stay_are_not_looked_at() -> None:
    config = {"url": "https://psa.example", "key": "enc:v1:sealed"}
    assert misfits(config, FORM, [("key",)]) == {}
    assert misfits(config, FORM) != {}
