"""The catalog of integrations, which belongs to the platform. An entry can be disabled but not deleted."""

from typing import Final

from core.errors import BadUserInputError
from core.exact_json import dump_json, parse_json
from core.limits import LONG_TEXT_MAX_CHARS
from services.configs.schemas import require_redactable
from services.configs.written_order import ORDER_MEMBER, add_written_order
from services.writes.field_kinds import ICON, SLUG, URL, BooleanKind, JsonKind, TextKind, TextListKind
from services.writes.record import CREATE_UPDATE, Row, RowOwner, Values, WritableField, WritableTable
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext


async def _prepare_schema(
    _writing: WriteContext, _before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    """Validate a schema, and note its order. Secrets marked in a way that is not supported would be visible."""
    given = values.get("config_schema")
    if given is None:
        return
    schema = parse_json(given)
    try:
        require_redactable(schema)
    except BadUserInputError as error:
        complaints.fields.update(error.fields)
    if ORDER_MEMBER in schema:
        complaints.fields[f"configSchema.{ORDER_MEMBER}"] = "must be left out: the server writes it itself"
    values["config_schema"] = dump_json(add_written_order(schema)).decode()


INTEGRATIONS: Final = WritableTable(
    "integrations", "integration", "Integrations",
    (
        WritableField("id", SLUG, fixed=True),
        WritableField("name", TextKind()),
        WritableField("description", TextKind(LONG_TEXT_MAX_CHARS, lines=True)),
        WritableField("category", TextKind(50)),
        WritableField("supported_types", TextListKind(), default=True),
        WritableField("icon_url", ICON, null=True),
        WritableField("color", TextKind(50), null=True),
        WritableField("level", TextKind(50), null=True),
        WritableField("product_url", URL, null=True),
        WritableField("config_schema", JsonKind(), null=True),
        WritableField("is_active", BooleanKind(), null=True),
    ),
    verbs=CREATE_UPDATE,
    owner=RowOwner.PLATFORM,
    prepare=_prepare_schema,
)  # fmt: skip
