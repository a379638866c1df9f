"""The catalogue's JSON Schemas of `data_sources.config`: which may stand there, and what they say is secret.

A property that is marked `sensitive: true` is a secret. It is sealed by us, and hidden by `app.redact` in the
database; both follow `properties` and `items` only: what marks a secret in any other way is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from core.errors import BadUserInputError
from core.limits import CONFIG_SCHEMA_NESTING_MAX

Schema: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str | int, ...]
"""Where in a config: keys of objects, and places in lists from 0."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MAPS: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLES: Final = (
    "items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "propertyNames",
    "contentSchema", "not", "if", "then", "else",
)  # fmt: skip
"""Where 2020-12 keeps schemas in a schema: under names, in a list, alone."""

_FOLLOWED: Final = ("properties", "items")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


def is_secret(schema: Any) -> bool:
    """Whether the schema marks its value as a secret, as `app.redact` reads it."""
    mark = schema.get("sensitive") if isinstance(schema, Mapping) else None
    return mark is not None and mark is not False


def below(schema: Any, key: str | int) -> Any:
    """What is known of the value at that key of an object, or at that place of a list; None for nothing."""
    if not isinstance(schema, Mapping):
        return None
    if isinstance(key, int):
        return schema.get("items")
    properties = schema.get("properties")
    return properties.get(key) if isinstance(properties, Mapping) else None


def secret_properties(schema: Any) -> Iterator[str]:
    """The names of an object's own properties that are secrets."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if isinstance(properties, Mapping):
        yield from (name for name, property_schema in properties.items() if is_secret(property_schema))


def require_redactable(schema: Any) -> None:
    """Make sure that a schema may stand in the catalogue: valid, no references, each secret where we look for it.

    Raises:
        BadUserInputError: it may not; `fields` has the reason for each place in it, as `configSchema.properties.key`.
    """
    fields = _misfits(schema)
    if fields:
        raise BadUserInputError("The configSchema is not one that secrets can be kept by", fields)


def _misfits(schema: Any) -> dict[str, str]:
    if not isinstance(schema, dict) or schema.get("$schema", DIALECT) != DIALECT:
        return {"configSchema": f"must be an object, in the dialect {DIALECT}"}
    if is_secret(schema):
        return {
            "configSchema.sensitive": "must mark properties: the config itself is an object that clients see"
        }
    try:
        fields = dict(_unfollowed(schema, ("configSchema",), followed=True))
    except RecursionError:
        fields = {"configSchema": f"must not nest deeper than {CONFIG_SCHEMA_NESTING_MAX}"}
    return fields or _invalid(schema)


def _invalid(schema: Schema) -> dict[str, str]:
    try:
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        return {dotted(("configSchema", *error.absolute_path)): "is not valid JSON Schema (2020-12)"}
    return {}


def _unfollowed(schema: Any, path: Path, *, followed: bool) -> Iterator[tuple[str, str]]:
    """The places where a secret would escape us, each with the reason."""
    if not isinstance(schema, dict):
        return
    if len(path) > 2 * CONFIG_SCHEMA_NESTING_MAX:
        raise RecursionError
    for keyword in _REFERENCES:
        if keyword in schema:
            yield (
                dotted((*path, keyword)),
                "must be written out: what it refers to may hold secrets that we do not see",
            )
    mark = schema.get("sensitive")
    if mark is not None and not isinstance(mark, bool):
        yield dotted((*path, "sensitive")), "must be true or false"
    if mark is True and not followed:
        yield dotted((*path, "sensitive")), "can be kept only below `properties` and `items`"
    for keyword, at, part in _parts(schema):
        yield from _unfollowed(part, (*path, *at), followed=followed and keyword in _FOLLOWED)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Path, Any]]:
    """Each schema in a schema: the keyword that holds it, its way there, itself."""
    for keyword, value in schema.items():
        if keyword in _MAPS and isinstance(value, dict):
            yield from ((keyword, (keyword, name), part) for name, part in value.items())
        elif keyword in _LISTS and isinstance(value, list):
            yield from ((keyword, (keyword, place), part) for place, part in enumerate(value))
        elif keyword in _SINGLES:
            yield keyword, (keyword,), value


def dotted(path: Path) -> str:
    """A path as `extensions.fields` names it: `config.accounts.0.key`."""
    return ".".join(map(str, path))
