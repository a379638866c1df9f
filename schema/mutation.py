"""All mutations of the schema. To add a mutation, start here.

1. Write its function in `services/`. It is `async`, takes a `WriteContext` and begins with the right.
2. Declare it. A mutation that creates, updates, deletes or restores rows of a table needs only the table's
   `WritableTable`. Every other mutation is a `MutationField` in the module of its kind:

       rows of a table                    services/writes/                  schema.mutation_field
       an action of a dashboard           services/writes/                  schema.custom_mutations
       invitations                        services/users/                   schema.invitations
       agents                             services/agents/                  schema.agent_mutations
       issued credentials                 services/credential_verbs.py      schema.credential_verbs
       background jobs                    services/jobs/verbs.py            schema.job_verbs
       what vendors deliver               services/entities/                schema.entity_upserts
       health checks                      services/health_checks.py         schema.health_reports

3. Add the tuple of a new module to `MUTATIONS` below.
4. Test the result, the missing right, another tenant, the audit row and the live update.
5. Run `python -m schema.sdl`.

`resolvers.mutations` executes them, each field in a transaction of its own.
"""

from collections.abc import Mapping
from typing import Any, Final

from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from schema.agent_mutations import AGENT_MUTATIONS
from schema.connections import build_output_field
from schema.credential_verbs import CREDENTIAL_VERBS
from schema.custom_mutations import CUSTOM_MUTATIONS
from schema.entity_upserts import ENTITY_UPSERTS
from schema.health_reports import HEALTH_REPORTS
from schema.invitations import INVITATIONS
from schema.job_verbs import JOB_VERBS
from schema.mutation_field import MutationField, fields_of
from schema.table import list_of
from schema.tables import BY_NAME
from services.writes.records import RECORDS

_DERIVED: Final = (field for table, record in RECORDS.items() for field in fields_of(BY_NAME[table], record))

MUTATIONS: Final[Mapping[str, MutationField]] = {
    field.name: field
    for field in (
        *_DERIVED,
        *CUSTOM_MUTATIONS,
        *INVITATIONS,
        *ENTITY_UPSERTS,
        *HEALTH_REPORTS,
        *AGENT_MUTATIONS,
        *CREDENTIAL_VERBS,
        *JOB_VERBS,
    )
}
"""The mutations by name."""


def _build_output(field: MutationField) -> StrawberryField:
    answer: Any = field.payload if field.table is None else field.table.type
    return build_output_field(
        field.name, list_of(answer) if field.many else answer, field.about, [*field.arguments]
    )


Mutation = create_type(
    "Mutation",
    [_build_output(field) for field in MUTATIONS.values()],
    description="All writes. Each field is one transaction, which is committed as a whole or not at all.",
)
