"""The mutations of invitations: create a code for the invited person, or accept an invitation without a code."""

from typing import Final

import strawberry
from strawberry.scalars import ID

from core.limits import INVITATION_MS
from schema.connections import argument
from schema.core import USERS
from schema.mutation_field import Arguments, MutationField, row_id
from schema.scalars import Timestamp
from services.users.invitation_acceptance import AcceptedInvitation as Accepted
from services.users.invitation_acceptance import accept
from services.users.invitations import InvitationCode as Made
from services.users.invitations import issue_invitation_code
from services.writes.write_context import WriteContext

_DAYS: Final = INVITATION_MS // 86_400_000


@strawberry.type(description="A code that an invited person sends once, with the first sign-in.")
class InvitationCode:
    id: ID = strawberry.field(description="The id of the IssuedCredential. `revokeCredential` takes it.")
    code: str = strawberry.field(
        description="The code. The person sends it as the header `X-Invitation-Code` along with the bearer token. "
        "Keep it secret until then."
    )
    expires_at: Timestamp = strawberry.field(description="The expiry time.")


@strawberry.type(description="The result of an accepted invitation.")
class AcceptedInvitation:
    user_id: ID = strawberry.field(
        description="The id of the User, which is the subject of the person's token."
    )
    tenant_name: str = strawberry.field(description="The tenant to which the person now belongs.")
    role_name: str = strawberry.field(description="The role of the person in this tenant.")


async def _accept(writing: WriteContext, given: Arguments) -> Accepted:
    return await accept(writing, given["id"])


async def _issue_code(writing: WriteContext, given: Arguments) -> Made:
    return await issue_invitation_code(writing, given["id"])


INVITATIONS: Final = (
    MutationField(
        name="createInvitationCode",
        about=(
            f"Creates a code with which a PENDING User signs in for the first time, within {_DAYS} days. The "
            "code is not stored and is valid once. It becomes invalid if the user, the role or its rights "
            "change, or if its creator may no longer invite the user. A former code is revoked. Requires "
            "the right `Users.Write` and every right of the user's role."
        ),
        arguments=[row_id(USERS)],
        run=_issue_code,
        payload=InvitationCode,
    ),
    MutationField(
        name="acceptInvitation",
        about=(
            "Accepts an invitation of `pendingInvitations`: the person becomes that User. The token must "
            "have a subject that no User has, and a verified e-mail address. The error is CONFLICT if the "
            "caller is a User already."
        ),
        arguments=[argument("id", ID, "The id of one of the `pendingInvitations`.")],
        run=_accept,
        payload=AcceptedInvitation,
    ),
)
