"""The catalogue of integrations: the platform's; an entry is switched off, never deleted."""

from typing import Final

import orjson

from core.errors import BadUserInputError
from core.limits import LONG_TEXT_MAX_CHARS
from services.configs.schemas import require_redactable
from services.writes.complaints import Complaints
from services.writes.record import CREATE_UPDATE, Field, Owner, Record, Row, Values
from services.writes.values import ICON, SLUG, URL, Flag, Json, Text, Texts
from services.writes.writing import Writing


async def _prepare(_writing: Writing, _before: Row | None, values: Values, complaints: Complaints) -> None:
    """A schema that hides where its secrets are would show them."""
    schema = values.get("config_schema")
    if schema is not None:
        try:
            require_redactable(orjson.loads(schema))
        except BadUserInputError as error:
            complaints.fields.update(error.fields)


INTEGRATIONS: Final = Record(
    "integrations", "integration", "Integrations",
    (
        Field("id", SLUG, fixed=True),
        Field("name", Text()),
        Field("description", Text(LONG_TEXT_MAX_CHARS, lines=True)),
        Field("category", Text(50)),
        Field("supported_types", Texts(), default=True),
        Field("icon_url", ICON, null=True),
        Field("color", Text(50), null=True),
        Field("level", Text(50), null=True),
        Field("product_url", URL, null=True),
        Field("config_schema", Json(), null=True),
        Field("is_active", Flag(), null=True),
    ),
    verbs=CREATE_UPDATE,
    owner=Owner.PLATFORM,
    prepare=_prepare,
)  # fmt: skip
