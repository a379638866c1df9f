"""`pendingInvitations`: the invitations that a person without a user account may accept."""

import strawberry

from schema.scalars import Timestamp


@strawberry.type(description="An invitation that the caller can accept.")
class PendingInvitation:
    id: strawberry.ID = strawberry.field(description="The id of the invitation. `acceptInvitation` takes it.")
    tenant_name: str = strawberry.field(description="The tenant that invites the person.")
    role_name: str = strawberry.field(description="The role that the person will have.")
    inviter_name: str | None = strawberry.field(
        description="The user who invited the person; null if the platform or an import did."
    )
    invited_at: Timestamp = strawberry.field(description="The time of the invitation.")
