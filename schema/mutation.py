"""Everything that can be written, made of the tables' records and of the verbs beside them."""

from collections.abc import Mapping
from typing import Any, Final

from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from schema.agent_verbs import AGENT_VERBS
from schema.connections import output_field
from schema.entity_upserts import ENTITY_UPSERTS
from schema.health_reports import HEALTH_REPORTS
from schema.invitations import INVITATIONS
from schema.mutation_field import MutationField, fields_of
from schema.table import list_of
from schema.tables import BY_NAME
from schema.verbs import VERBS
from services.writes.records import RECORDS

_DERIVED: Final = (field for table, record in RECORDS.items() for field in fields_of(BY_NAME[table], record))

MUTATIONS: Final[Mapping[str, MutationField]] = {
    field.name: field
    for field in (*_DERIVED, *VERBS, *INVITATIONS, *ENTITY_UPSERTS, *HEALTH_REPORTS, *AGENT_VERBS)
}
"""The mutations by their name."""


def _output(field: MutationField) -> StrawberryField:
    answer: Any = field.payload if field.table is None else field.table.type
    return output_field(
        field.name, list_of(answer) if field.many else answer, field.about, [*field.arguments]
    )


Mutation = create_type(
    "Mutation",
    [_output(field) for field in MUTATIONS.values()],
    description="Everything that can be written: each field is one transaction, done whole or not at all.",
)
