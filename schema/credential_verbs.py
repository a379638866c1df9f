"""The mutations on issued credentials: `revokeCredential`, `approveReenrollment`, `setSiteEnrollmentRule`."""

from typing import Final

import strawberry
from strawberry.scalars import ID

from core.limits import WRITE_ROWS_MAX
from schema.agents import AGENTS
from schema.connections import argument
from schema.credentials import SITE_ENROLLMENT_RULES
from schema.enums import CredentialKind
from schema.mutation_field import Arguments, MutationField
from schema.scalars import Timestamp
from services.credential_verbs import (
    RevokedCredential,
    approve_reenrollment,
    revoke_credentials,
    set_enrollment_rule,
)
from services.writes.write_context import WriteContext

_RIGHTS: Final = (
    "Requires the right `Agents.Write` for agent tokens and enrollment tokens, and `Users.Write` for "
    "invitation codes. Only the platform may revoke platform tokens, also before their first use."
)


@strawberry.type(description="A revoked credential.")
class RevokedCredentialPayload:
    id: ID = strawberry.field(description="The id of the credential.")
    kind: CredentialKind = strawberry.field(description="The kind of the credential.")
    revoked_at: Timestamp = strawberry.field(description="The time of the revocation.")


async def _revoke(writing: WriteContext, given: Arguments) -> RevokedCredential:
    return (await revoke_credentials(writing, [given["id"]]))[0]


async def _revoke_many(writing: WriteContext, given: Arguments) -> list[RevokedCredential]:
    return await revoke_credentials(writing, given["ids"])


async def _approve(writing: WriteContext, given: Arguments) -> list[str]:
    return [await approve_reenrollment(writing, given["agent_id"])]


async def _set_rule(writing: WriteContext, given: Arguments) -> list[str]:
    required = given["approval_required"]
    return [await set_enrollment_rule(writing, given["site_id"], approval_required=required)]


CREDENTIAL_VERBS: Final = (
    MutationField(
        name="revokeCredential",
        about=f"Revokes an IssuedCredential at once on all servers. It cannot be undone. {_RIGHTS}",
        arguments=[argument("id", ID, "The id of the IssuedCredential.")],
        run=_revoke,
        payload=RevokedCredentialPayload,
    ),
    MutationField(
        name="revokeCredentials",
        about=f"Revokes many `issuedCredentials`: all or none. {_RIGHTS}",
        arguments=[
            argument("ids", list[ID], f"The ids of the `issuedCredentials`, at most {WRITE_ROWS_MAX}.")
        ],
        run=_revoke_many,
        payload=RevokedCredentialPayload,
        many=True,
    ),
    MutationField(
        name="approveReenrollment",
        about=(
            "Allows an Agent to enroll again once, although its token was replaced within the last hour or "
            "its site requires approval. Requires the right `Agents.Write`."
        ),
        arguments=[argument("agent_id", ID, "The id of the Agent.")],
        run=_approve,
        table=AGENTS,
    ),
    MutationField(
        name="setSiteEnrollmentRule",
        about=(
            "Sets whether a Site requires `approveReenrollment` each time an agent enrolls again. Requires "
            "the right `Agents.Write`."
        ),
        arguments=[
            argument("site_id", ID, "The id of the Site."),
            argument("approval_required", bool, "Whether approval is required."),
        ],
        run=_set_rule,
        table=SITE_ENROLLMENT_RULES,
    ),
)
