"""Data sources. The integration's schema validates their config, and the secrets in it are sealed."""

from typing import Any, Final

from core.errors import BadUserInputError
from core.exact_json import dump_json, parse_json
from core.ids import generate_id
from models.enums import DataSourceStatus
from services.configs.secret_paths import mask_change
from services.secrets.config_secrets import seal_config
from services.writes.field_kinds import EnumKind, JsonKind, ReferenceKind, TextKind, TimestampKind
from services.writes.record import (
    ALL_VERBS,
    AuditMask,
    Row,
    UniqueConstraint,
    Values,
    WritableField,
    WritableTable,
    WriteVerb,
)
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_SCHEMA: Final = "SELECT config_schema FROM integrations WHERE id = $1::text"


async def _seal_secrets(
    writing: WriteContext, before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    """Seal the secrets of a config for its data source."""
    if before is None:
        values["id"] = generate_id()
    row = {**(before or {}), **values}
    if "config" not in values or "integration_id" not in row:
        return
    schema = _parse_json(await writing.fetch_value(_SCHEMA, row["integration_id"]))
    given, stored = parse_json(values["config"]), _parse_json(before["config"]) if before else {}
    try:
        config = seal_config(writing.keys, row["id"], schema, given, stored)
    except BadUserInputError as error:
        complaints.fields.update(error.fields)
    else:
        values["config"] = dump_json(config).decode()


def _parse_json(text: str | None) -> Any:
    return None if text is None else parse_json(text)


def _mask_config_change(before: str | None, after: str | None, schema: str | None) -> list[Any]:
    was, becomes = mask_change(_parse_json(before) or {}, _parse_json(after) or {}, _parse_json(schema))
    return [None if before is None else was, becomes]


DATA_SOURCES: Final = WritableTable(
    "data_sources", "data source", "DataSources",
    (
        WritableField(
            "integration_id", ReferenceKind("integrations", ("t.is_active IS NOT FALSE", "must not be disabled")),
            fixed=True,
        ),
        WritableField("site_id", ReferenceKind("sites"), null=True),
        WritableField("external_id", TextKind(500), null=True),
        WritableField("status", EnumKind(DataSourceStatus), default=True),
        WritableField(
            "config", JsonKind(), default=True,
            about=(
                'A secret that is omitted, blank or `{"secret": true}` keeps its value. It must be given '
                "again if a value changes that decides where the secret is sent. Credentials in a URL are "
                "rejected."
            ),
        ),
        WritableField("metadata", JsonKind(), null=True),
        WritableField("credential_expiration_at", TimestampKind(never=True), default=True),
    ),
    bulk=ALL_VERBS,
    extra={"last_sync_at": "bigint"},
    masked={
        "config": AuditMask(
            "(SELECT i.config_schema FROM integrations i WHERE i.id = t.integration_id)", _mask_config_change
        )
    },
    prepare=_seal_secrets,
)  # fmt: skip

DATA_SOURCE_TO_SITE: Final = WritableTable(
    "data_source_to_site", "mapping", "Sites",
    (
        WritableField("data_source_id", ReferenceKind("data_sources"), fixed=True),
        WritableField("site_id", ReferenceKind("sites"), fixed=True),
    ),
    verbs=ALL_VERBS | {WriteVerb.CREATE},
    uniques=(UniqueConstraint("data_source_to_site_unique_pair", "site_id", "is already mapped to this data source"),),  # noqa: E501
    stamped=False,
)  # fmt: skip
