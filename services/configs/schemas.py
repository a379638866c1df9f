"""The JSON Schemas of `data_sources.config` in the catalog: which are accepted, and which values they mark as secret.

A property marked `sensitive: true` is a secret. The server seals it, and `app.redact` in the database hides
it. Both follow `properties` and `items` only. A schema that marks a secret in any other way is refused.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from core.errors import BadUserInputError
from core.exact_json import parse_json
from core.limits import CONFIG_SCHEMA_NESTING_MAX

Schema: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str | int, ...]
"""A path in a config: keys of objects, and indexes in lists from 0."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MAP_KEYWORDS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LIST_KEYWORDS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
"""Keywords of 2020-12 that hold subschemas by name, and those that hold a list.

Any other keyword may hold a single one.
"""

_SCHEMA_KEYWORDS: Final = frozenset(
    {
        *_MAP_KEYWORDS,
        *_LIST_KEYWORDS,
        *("items", "additionalProperties", "contains", "not", "if", "then", "else"),
        *("propertyNames", "unevaluatedItems", "unevaluatedProperties"),
    }
)
"""The keywords of 2020-12 that hold subschemas. An unknown keyword may hold something similar."""

_FOLLOWED_KEYWORDS: Final = ("properties", "items")
_DATA: Final = frozenset({"default", "const", "enum", "examples", "sensitive", "destination"})
"""Keywords with values that contain no schema."""

_REFERENCE_KEYWORDS: Final = ("$ref", "$dynamicRef", "$recursiveRef")


class Concealed:
    """The schema of a config with unknown secrets. Each value in the config is treated as a secret."""


CONCEALED: Final = Concealed()


def is_secret_value(schema: Any, value: Any) -> bool:
    """Whether the schema makes this value a secret. In a concealed config all values except objects and lists are."""
    return is_secret(schema) or (schema is CONCEALED and not isinstance(value, dict | list))


def choose_sealing_schema(schema: Any) -> Any:
    """The schema by which to seal secrets: the given one if the catalog accepts it, else `CONCEALED`."""
    return CONCEALED if _find_problems(schema) else schema


@lru_cache(64)
def parse_sealing_schema(text: str | None) -> Any:
    """`choose_sealing_schema` of a schema's JSON. The result is cached and must not be changed."""
    return choose_sealing_schema(parse_json(text or "null"))


def build_stored_schema(schema: Any) -> Any:
    """The schema as the catalog stores it. One that the catalog does not accept is marked as a whole.

    Then all values of its configs are hidden, and no config can be saved until the platform writes a valid
    schema.
    """
    if schema is None or not _find_problems(schema):
        return schema
    return {**(schema if isinstance(schema, dict) else {}), "sensitive": True}


def is_secret(schema: Any) -> bool:
    """Whether the schema marks its value as a secret, in the sense of `app.redact`."""
    mark = schema.get("sensitive") if isinstance(schema, Mapping) else None
    return mark is not None and mark is not False


def find_child_schema(schema: Any, key: str | int) -> Any:
    """The subschema at a key of an object or an index of a list; None if there is none."""
    if not isinstance(schema, Mapping):
        return CONCEALED if schema is CONCEALED else None
    if isinstance(key, int):
        return schema.get("items")
    properties = schema.get("properties")
    return properties.get(key) if isinstance(properties, Mapping) else None


def iter_secret_properties(schema: Any) -> Iterator[str]:
    """The names of an object's own properties that are secrets."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if isinstance(properties, Mapping):
        yield from (name for name, property_schema in properties.items() if is_secret(property_schema))


def require_redactable(schema: Any) -> None:
    """Require that the catalog accepts a schema.

    It must be valid, without references, and mark secrets only at paths that are searched. Each default must match
    its own schema, because a form that starts with it could not be saved. A secret has none.

    Raises:
        BadUserInputError: It does not; `fields` has the reason for each path, as `configSchema.properties.key`.
    """
    fields = _find_problems(schema)
    if fields:
        raise BadUserInputError("Invalid configSchema: it must show where secrets are", fields)
    fields = dict(_iter_bad_defaults(schema, ("configSchema",)))
    if fields:
        raise BadUserInputError("Invalid configSchema: a default cannot be used", fields)


def _find_problems(schema: Any) -> dict[str, str]:
    if not isinstance(schema, dict) or schema.get("$schema", DIALECT) != DIALECT:
        return {"configSchema": f"must be an object, in the dialect {DIALECT}"}
    if is_secret(schema):
        return {
            "configSchema.sensitive": "must mark properties, because clients see the config itself as an object"
        }
    try:
        fields = dict(_iter_hidden_secrets(schema, ("configSchema",), followed=True))
    except RecursionError:
        fields = {"configSchema": f"must be nested at most {CONFIG_SCHEMA_NESTING_MAX} levels deep"}
    return fields or _find_schema_errors(schema)


def _find_schema_errors(schema: Schema) -> dict[str, str]:
    try:
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        return {format_path(("configSchema", *error.absolute_path)): "must be valid JSON Schema (2020-12)"}
    return {}


def _iter_bad_defaults(schema: Any, path: Path) -> Iterator[tuple[str, str]]:
    """The defaults that cannot be used. The schema itself is valid."""
    if isinstance(schema, list):
        for index, subschema in enumerate(schema):
            yield from _iter_bad_defaults(subschema, (*path, index))
    if not isinstance(schema, dict):
        return
    if "default" in schema and (problem := _find_default_problem(schema, schema["default"])):
        yield format_path((*path, "default")), problem
    for keyword, at, subschema in _iter_subschemas(schema):
        if keyword in _SCHEMA_KEYWORDS:
            yield from _iter_bad_defaults(subschema, (*path, *at))


def _find_default_problem(schema: Schema, default: Any) -> str | None:
    if is_secret(schema) and default not in (None, ""):
        return "must be left out of a secret, because every tenant reads the schema"
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return None if validator.is_valid(default) else "must match the schema that it stands in"


def _iter_hidden_secrets(schema: Any, path: Path, *, followed: bool) -> Iterator[tuple[str, str]]:
    """The paths at which a secret would not be found, each with the reason."""
    if len(path) > 2 * CONFIG_SCHEMA_NESTING_MAX:
        raise RecursionError
    if isinstance(schema, list):
        for path_text, subschema in enumerate(schema):
            yield from _iter_hidden_secrets(subschema, (*path, path_text), followed=False)
    if not isinstance(schema, dict):
        return
    yield from _iter_invalid_keywords(schema, path, followed=followed)
    for keyword, at, subschema in _iter_subschemas(schema):
        yield from _iter_hidden_secrets(
            subschema, (*path, *at), followed=followed and keyword in _FOLLOWED_KEYWORDS
        )


def _iter_invalid_keywords(
    schema: dict[str, Any], path: Path, *, followed: bool
) -> Iterator[tuple[str, str]]:
    """The keywords of one schema that are refused, each with the reason."""
    for keyword in _REFERENCE_KEYWORDS:
        if keyword in schema:
            yield (
                format_path((*path, keyword)),
                "must be expanded: the referenced schema may contain secrets that the server does not see",
            )
    for keyword in ("sensitive", "destination"):
        mark = schema.get(keyword)
        if mark is not None and not isinstance(mark, bool):
            yield format_path((*path, keyword)), "must be true or false"
        if mark is True and not followed:
            yield format_path((*path, keyword)), "is allowed only below `properties` and `items`"


def _iter_subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Path, Any]]:
    """Each subschema of a schema: its keyword, its path, and itself. An unknown keyword may hold one."""
    for keyword, value in schema.items():
        if keyword in _MAP_KEYWORDS and isinstance(value, dict):
            yield from ((keyword, (keyword, name), subschema) for name, subschema in value.items())
        elif keyword in _LIST_KEYWORDS and isinstance(value, list):
            yield from ((keyword, (keyword, index), subschema) for index, subschema in enumerate(value))
        elif keyword == "items" and isinstance(value, list):  # older dialects: one schema for each index
            yield "prefixItems", (keyword,), value
        elif keyword not in _DATA and isinstance(value, dict | list):
            yield keyword, (keyword,), value


def format_path(path: Path) -> str:
    """A path as `extensions.fields` names it: `config.accounts.0.key`."""
    return ".".join(map(str, path))
