"""Calls of the mutations that are derived from declarations: each with valid arguments."""

from typing import Final

from services.writes.record import WriteVerb
from tests.mutation_harness import (
    MutationCall,
    MutationHarness,
    build_call,
    list_derived_mutations,
)

BY_NAME: Final = {name: (record, verb) for name, record, verb in list_derived_mutations()}


async def prepare_call(mutation_harness: MutationHarness, name: str) -> MutationCall:
    """A valid call of the mutation: rows to restore are deleted, and unique values are free."""
    record, verb = BY_NAME[name]
    call = build_call(name, mutation_harness.theirs if name == "restoreTenant" else mutation_harness.mine)
    if verb is WriteVerb.RESTORE:
        for row_id in get_row_ids(call):
            await mutation_harness.update_row(record.table, row_id, deleted_at=1)
    return call


def get_row_ids(call: MutationCall) -> list[str]:
    """The ids of the rows in a call."""
    return list(call.arguments.get("ids", [call.arguments["id"]] if "id" in call.arguments else []))
