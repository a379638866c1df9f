"""Data sources: what their config may hold is said by their integration, and its secrets are sealed."""

from typing import Any, Final

import orjson

from core.errors import BadUserInputError
from core.ids import new_id
from models.enums import DataSourceStatus
from services.configs.places import masked_change
from services.secrets import saved_config
from services.writes.complaints import Complaints
from services.writes.record import LIFE, Field, Mask, Record, Row, Unique, Values, Verb
from services.writes.values import Json, Moment, OneOf, Reference, Text
from services.writes.writing import Writing

_SCHEMA: Final = "SELECT config_schema FROM integrations WHERE id = $1::text"


async def _prepare(writing: Writing, before: Row | None, values: Values, complaints: Complaints) -> None:
    """Seal the secrets of a config, each for the data source that it is of."""
    if before is None:
        values["id"] = new_id()
    row = {**(before or {}), **values}
    if "config" not in values or "integration_id" not in row:
        return
    schema = _parsed(await writing.value(_SCHEMA, row["integration_id"]))
    given, stored = orjson.loads(values["config"]), _parsed(before["config"]) if before else {}
    try:
        config = saved_config(writing.keys, row["id"], schema, given, stored)
    except BadUserInputError as error:
        complaints.fields.update(error.fields)
    else:
        values["config"] = orjson.dumps(config).decode()


def _parsed(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _masked(before: str | None, after: str | None, schema: str | None) -> list[Any]:
    was, becomes = masked_change(_parsed(before) or {}, _parsed(after) or {}, _parsed(schema))
    return [None if before is None else was, becomes]


DATA_SOURCES: Final = Record(
    "data_sources", "data source", "DataSources",
    (
        Field(
            "integration_id", Reference("integrations", ("t.is_active IS NOT FALSE", "is switched off")),
            fixed=True,
        ),
        Field("site_id", Reference("sites"), null=True),
        Field("external_id", Text(500), null=True),
        Field("status", OneOf(DataSourceStatus), default=True),
        Field(
            "config", Json(), default=True,
            about="A secret that is left out, blank or `{\"secret\": true}` stays what it is.",
        ),
        Field("metadata", Json(), null=True),
        Field("credential_expiration_at", Moment(), default=True),
    ),
    bulk=LIFE,
    extra={"last_sync_at": "bigint"},
    masked={
        "config": Mask(
            "(SELECT i.config_schema FROM integrations i WHERE i.id = t.integration_id)", _masked
        )
    },
    prepare=_prepare,
)  # fmt: skip

DATA_SOURCE_TO_SITE: Final = Record(
    "data_source_to_site", "mapping", "Sites",
    (
        Field("data_source_id", Reference("data_sources"), fixed=True),
        Field("site_id", Reference("sites"), fixed=True),
    ),
    verbs=LIFE | {Verb.CREATE},
    uniques=(Unique("data_source_to_site_unique_pair", "site_id", "is mapped to this data source already"),),
    stamped=False,
)  # fmt: skip
