"""`createInvitationCode`: what an invited person shows to sign in."""

from typing import Final

import strawberry

from core.limits import INVITATION_MS
from schema.core import USERS
from schema.mutation_field import Arguments, MutationField, row_id
from schema.scalars import Timestamp
from services.invitations import InvitationCode as Made
from services.invitations import invitation_code
from services.writes.writing import Writing

_DAYS: Final = INVITATION_MS // 86_400_000


@strawberry.type(description="What an invited person shows at the first sign-in, once.")
class InvitationCode:
    code: str = strawberry.field(
        description="To be sent as the header `X-Invitation-Code` beside the person's own token; a secret until then."
    )
    expires_at: Timestamp = strawberry.field(description="Until when it is good.")


async def _code(writing: Writing, given: Arguments) -> Made:
    return await invitation_code(writing, given["id"])


INVITATIONS: Final = (
    MutationField(
        name="createInvitationCode",
        about=f"Make a code by which a PENDING User signs in for the first time, within {_DAYS} days. "
        "It is kept nowhere, and changes nothing. Takes the right `Users.Write`, and every right of the user's role.",
        arguments=[row_id(USERS)],
        run=_code,
        payload=InvitationCode,
    ),
)
