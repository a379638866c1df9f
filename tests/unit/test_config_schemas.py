"""Which schemas may stand in the catalog, and what they say of a config."""

from typing import Any

import pytest

from core.errors import BadUserInputError
from core.exact_json import parse_json
from services.catalog.entries import CATALOG, CatalogEntry
from services.configs.schemas import require_redactable
from services.configs.validation import find_config_problems

SECRET = {"type": "string", "sensitive": True}
HIDDEN = "hunter2-in-the-wrong-field"


def _refused_fields(schema: Any) -> dict[str, str]:
    with pytest.raises(BadUserInputError) as caught:
        require_redactable(schema)
    return caught.value.fields


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.id)
def test_require_redactable_accepts_the_demo_catalog(entry: Any) -> None:
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
def test_require_redactable_accepts_followed_keywords(schema: dict[str, Any]) -> None:
    require_redactable(schema)


@pytest.mark.parametrize(
    ("schema", "path"),
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
        ({"additionalProperties": {"allOf": [SECRET]}}, "configSchema.additionalProperties.allOf.0.sensitive"),
        ({"properties": {"a": {"items": {"else": SECRET}}}}, "configSchema.properties.a.items.else.sensitive"),
        ({"dependencies": {"a": {"items": SECRET}}}, "configSchema.dependencies.a.items.sensitive"),
        ({"items": [SECRET]}, "configSchema.items.0.sensitive"),
        ({"x-fields": [{"more": SECRET}]}, "configSchema.x-fields.0.more.sensitive"),
        ({"oneOf": [{"destination": True}]}, "configSchema.oneOf.0.destination"),
        ({"properties": {"a": {"destination": "yes"}}}, "configSchema.properties.a.destination"),
        ({"sensitive": True}, "configSchema.sensitive"),
        ({"properties": {"a": {"sensitive": "yes"}}}, "configSchema.properties.a.sensitive"),
        ({"type": "objekt"}, "configSchema.type"),
        ({"properties": {"a": {"pattern": "("}}}, "configSchema.properties.a.pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "configSchema"),
        ([], "configSchema"),
        ("secret", "configSchema"),
    ],
)  # fmt: skip
def test_require_redactable_names_the_path_it_cannot_follow(schema: Any, path: str) -> None:
    assert list(_refused_fields(schema)) == [path]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a": {"type": "string", "default": 1}}}, "properties.a.default"),
        ({"properties": {"a": {"minLength": 1, "default": ""}}}, "properties.a.default"),
        ({"properties": {"a": {"enum": ["x"], "default": "y"}}}, "properties.a.default"),
        ({"properties": {"a": {"format": "uuid", "default": "y"}}}, "properties.a.default"),
        ({"properties": {"a": {"maximum": 1, "default": 2}}}, "properties.a.default"),
        ({"properties": {"a": {"type": "string", "default": None}}}, "properties.a.default"),
        ({"properties": {"a": {"items": {"type": "null", "default": 0}}}}, "properties.a.items.default"),
        ({"anyOf": [{}, {"properties": {"a": {"const": 1, "default": 2}}}]}, "anyOf.1.properties.a.default"),
        ({"required": ["a"], "default": {}}, "default"),
        ({"additionalProperties": {"type": "string", "default": 1}}, "additionalProperties.default"),
        ({"properties": {"a": {"sensitive": True, "default": "hunter2"}}}, "properties.a.default"),
    ],
)
def test_require_redactable_refuses_a_default_that_its_schema_refuses(
    schema: dict[str, Any], path: str
) -> None:
    assert list(_refused_fields(schema)) == [f"configSchema.{path}"]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string", "default": ""}}},
        {"properties": {"a": {"minLength": 1, "default": "b"}}},
        {"properties": {"a": {"type": ["string", "null"], "default": None}}},
        {"properties": {"default": {"type": "string"}}, "required": ["default"]},
        {"properties": {"a": {"default": {"default": 1}}}},
        {"properties": {"a": {"const": {"type": "string", "default": 1}}}},
        {"default": {}, "properties": {}},
        {"properties": {"a": {"x-widget": {"type": "select", "default": 1}}}},
    ],
)
def test_require_redactable_accepts_a_default_that_its_schema_accepts(schema: dict[str, Any]) -> None:
    require_redactable(schema)


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.id)
def test_require_redactable_accepts_the_schemas_of_our_catalog(entry: CatalogEntry) -> None:
    if entry.config_schema is not None:
        require_redactable(entry.config_schema)


def test_require_redactable_refuses_deep_nesting() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"properties": {"a": schema}}
    assert "nest" in _refused_fields(schema)["configSchema"]


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
        ({"url": HIDDEN}, {"config.url": "must match the format uri"}),
        ({"url": "https://"}, {"config.url": "must match the format uri"}),
        ({"url": "https://a:99999/"}, {"config.url": "must match the format uri"}),
        ({"region": HIDDEN}, {"config.region": "must be one of eu, us"}),
        ({"port": HIDDEN}, {"config.port": "must be an integer or null"}),
        ({"port": 0}, {"config.port": "must be 1 or more"}),
        ({"mail": HIDDEN}, {"config.mail": "must match the format email"}),
        ({"id": HIDDEN}, {"config.id": "must match the format uuid"}),
        ({"since": "2026-01-01"}, {"config.since": "must match the format date-time"}),
        ({"hosts": ["10.0.0.1", HIDDEN]}, {"config.hosts.1": "must match the format ipv4"}),
        ({"hosts": []}, {"config.hosts": "must have 1 elements or more"}),
        ({"group": {}}, {"config.group.name": "is required"}),
        ({"group": {"name": HIDDEN}}, {"config.group.name": "must have 3 characters or fewer"}),
        ({"other": HIDDEN}, {"config.other": "is not a property of the schema"}),
        ({"never": HIDDEN}, {"config": "does not match the schema"}),
        ({"either": HIDDEN}, {"config.either": "does not match anyOf"}),
    ],
)
def test_misfits_of_invalid_config_name_fields_without_values(
    config: dict[str, Any], fields: dict[str, str]
) -> None:
    url = {"url": "https://psa.example:8443/api"} if config and "url" not in config else {}
    assert find_config_problems({**url, **config}, FORM) == fields


def test_misfits_of_secret_give_no_constraint() -> None:
    fields = find_config_problems({"url": "https://psa.example", "key": "kestrel"}, FORM)
    assert fields == {"config.key": "does not match the schema"}


def test_misfits_of_several_fields_are_reported_together() -> None:
    assert set(find_config_problems({"region": 1, "port": "1", "x": 1, "y": 2}, FORM)) == {
        "config.url", "config.region", "config.port", "config.x", "config.y"
    }  # fmt: skip


def test_misfits_of_valid_config_are_none() -> None:
    good = {
        "url": "https://psa.example", "key": "kingfisher", "region": "eu", "port": None, "mail": "a@b.example",
        "id": "0190d0a8-6c8a-7000-8000-000000000000", "since": "2026-01-01T00:00:00Z", "hosts": ["10.0.0.1"],
        "group": {"name": "a"}, "either": 3,
    }  # fmt: skip
    assert find_config_problems(good, FORM) == {}


def test_misfits_of_kept_secrets_are_not_checked() -> None:
    config = {"url": "https://psa.example", "key": "enc:v1:sealed"}
    assert find_config_problems(config, FORM, [("key",)]) == {}
    assert find_config_problems(config, FORM) != {}


@pytest.mark.parametrize(
    ("number", "good"),
    [("0.3", True), ("0.35", False), ("1e400", True), ("12345678901234567890123", True), ("1e-400", False)],
)
def test_misfits_exact_number_is_a_multiple_without_rounding(number: str, good: bool) -> None:
    schema = {"type": "object", "properties": {"unit": {"type": "number", "multipleOf": 0.1}}}
    assert (find_config_problems({"unit": parse_json(number)}, schema) == {}) is good


@pytest.mark.parametrize(
    ("number", "good"), [("1e400", True), ("1e-400", False), ("1.0", True), ("true", False)]
)
def test_misfits_exact_number_is_an_integer_by_value(number: str, good: bool) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}}
    assert (find_config_problems({"count": parse_json(number)}, schema) == {}) is good
