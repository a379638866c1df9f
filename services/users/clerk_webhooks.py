"""Clerk's webhooks: the name and the verified e-mail address of a user follow, and a deleted person is shut out.

    POST ── signature (Svix) ── id seen before? ──┬── yes: nothing
                                                  └── no: older than the last one? ──┬── yes: nothing
                                                                                     └── no: the row is written

Each id is recorded in the transaction of its effect, so that a delivery that failed is processed when it is
sent again.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.database import Database, Record
from core.database.transactions import WriteTransaction, ignore_commit, run_in_transaction
from core.encryption import SecretKeys
from core.errors import BadUserInputError, StartupError, UnauthenticatedError
from core.limits import CLERK_IDS_KEPT_MS, CLERK_TIMESTAMP_TOLERANCE_S
from models.enums import AuditActor, UserStatus
from services.writes.audit import Actor, write_audit_rows
from services.writes.record import WriteVerb
from services.writes.row_changes import update_rows
from services.writes.users import USERS
from services.writes.write_context import WriteContext

_log = structlog.get_logger(__name__)

_PREFIX: Final = "whsec_"
_ACTOR: Final = "clerk"
"""The author of these changes in the audit log, as the id of an actor of the kind platform."""

_RECORD_ID: Final = """
INSERT INTO app.clerk_deliveries (id) VALUES ($1) ON CONFLICT (id) DO NOTHING RETURNING 1
"""
_FORGET_IDS: Final = f"""
DELETE FROM app.clerk_deliveries WHERE id IN (
    SELECT id FROM app.clerk_deliveries WHERE received_at < app.now_ms() - {CLERK_IDS_KEPT_MS} LIMIT 100
)
"""  # noqa: S608 - our own number
_COLUMNS: Final = ", ".join(f"u.{name}" for name in USERS.column_types)
_USER: Final = f"""
SELECT {_COLUMNS}, c.updated_at AS clerk_updated_at
FROM public.users u LEFT JOIN app.clerk_users c ON c.user_id = u.id
WHERE u.id = $1 AND u.deleted_at IS NULL
FOR NO KEY UPDATE OF u
"""  # noqa: S608 - declared names
_RECORD_STATE: Final = """
INSERT INTO app.clerk_users AS c (user_id, updated_at) VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE SET updated_at = greatest(c.updated_at, excluded.updated_at)
"""
_TAKEN: Final = """
SELECT EXISTS (
    SELECT FROM public.users u
    WHERE u.tenant_id = $1 AND u.id <> $2 AND u.deleted_at IS NULL
      AND app.email_identity(u.email) = app.email_identity($3)
)
"""
_DEACTIVATE: Final = f"""
UPDATE public.users u SET status = 'inactive', updated_at = app.next_updated_at(u.updated_at)
WHERE u.id = $1 RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class SignedDelivery:
    """The headers of one delivery that its signature covers, and the signature."""

    id: str
    timestamp: str
    signatures: str


class ClerkSecret:
    """The secret of Clerk's endpoint, by which a delivery is verified (the scheme of Svix)."""

    def __init__(self, secret: str) -> None:
        """Takes the text that Clerk shows, `whsec_` and base64.

        Raises:
            StartupError: It has another form; the message does not show it.
        """
        try:
            self._key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error):
            self._key = b""
        if not secret.startswith(_PREFIX) or len(self._key) < 16:
            raise StartupError(
                "CLERK_WEBHOOK_SECRET is not the signing secret of a Clerk endpoint: whsec_..."
            )

    def verify(self, delivery: SignedDelivery, body: bytes, now_s: float) -> None:
        """Verify a delivery at a time, in seconds since the epoch.

        Raises:
            UnauthenticatedError: The signature is not valid, or it is too old or in the future.
        """
        if not delivery.timestamp.isascii() or not delivery.timestamp.isdecimal():
            raise UnauthenticatedError("The webhook's timestamp is malformed.")
        if len(delivery.timestamp) > 12 or abs(now_s - int(delivery.timestamp)) > CLERK_TIMESTAMP_TOLERANCE_S:
            raise UnauthenticatedError("The webhook's timestamp is too far from the present time.")
        message = f"{delivery.id}.{delivery.timestamp}.".encode() + body
        expected = base64.b64encode(hmac.digest(self._key, message, hashlib.sha256))
        given = [each.partition(",") for each in delivery.signatures.split(" ")]
        valid = [
            hmac.compare_digest(expected, text.encode()) for version, _, text in given if version == "v1"
        ]
        if not any(valid):
            raise UnauthenticatedError("The webhook's signature is not valid.")


@dataclass(frozen=True, slots=True)
class ClerkEvent:
    """A verified event about one person.

    Attributes:
        delivery_id: The `svix-id`, the same in each attempt to deliver it.
        is_deletion: Whether the person was deleted.
        subject: The person's id at Clerk, which is the user's id here.
        updated_at: The time of the change at Clerk, in ms since the epoch.
        name: The person's name; None if there is none.
        email: The verified primary address; None if there is none.
    """

    delivery_id: str
    is_deletion: bool
    subject: str
    updated_at: int
    name: str | None = None
    email: str | None = None


def parse_event(delivery_id: str, body: bytes) -> ClerkEvent | None:
    """The event of a verified body; None for an event of another kind.

    Raises:
        BadUserInputError: The body is malformed.
    """
    try:
        event: Any = orjson.loads(body)
        kind, data = event["type"], event["data"]
        if kind not in ("user.created", "user.updated", "user.deleted"):
            return None
        subject = _require_subject(data["id"])
        if kind == "user.deleted":
            return ClerkEvent(delivery_id, True, subject, NEVER)
        at = _require_time(data["updated_at"])
        return ClerkEvent(delivery_id, False, subject, at, _read_name(data), _read_email(data))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadUserInputError("The webhook's body is no event of Clerk.") from error


def _require_subject(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("the id is no text")
    return value


def _require_time(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < NEVER:
        raise ValueError("the time is none in ms since the epoch")
    return value


def _read_name(data: Mapping[str, Any]) -> str | None:
    parts = [data.get("first_name"), data.get("last_name")]
    return " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip()) or None


def _read_email(data: Mapping[str, Any]) -> str | None:
    primary = data.get("primary_email_address_id")
    for address in data.get("email_addresses") or ():
        verification = address.get("verification") or {}
        if primary and address.get("id") == primary and verification.get("status") == "verified":
            return str(address["email_address"])
    return None


async def apply_event(database: Database, event: ClerkEvent, on_commit: Any = ignore_commit) -> bool:
    """Apply an event to the user with its subject, if there is one; returns whether a row was written.

    Raises:
        UnavailableError: The database is away. Clerk sends the event again.
    """

    async def apply_in_transaction(transaction: WriteTransaction) -> bool:
        if not await transaction.fetch(_RECORD_ID, (event.delivery_id,)):
            return False
        await transaction.fetch(_FORGET_IDS, ())
        found = await transaction.fetch(_USER, (event.subject,))
        if not found or (found[0]["clerk_updated_at"] or 0) >= event.updated_at:
            return False
        await transaction.fetch(_RECORD_STATE, (event.subject, event.updated_at))
        if event.is_deletion:
            return await _deactivate(transaction, found[0])
        return await _follow(transaction, found[0], event)

    return await run_in_transaction(database, apply_in_transaction, platform=True, on_commit=on_commit)


async def _deactivate(transaction: WriteTransaction, user: Record) -> bool:
    """Shut a deleted person out, also the last administrator: the person cannot sign in any more in any case."""
    if user["status"] == UserStatus.INACTIVE:
        return False
    before = {name: user[name] for name in USERS.column_types}
    (after,) = await transaction.fetch(_DEACTIVATE, (user["id"],))
    actor = Actor(AuditActor.PLATFORM, _ACTOR)
    await write_audit_rows(transaction, actor, USERS, WriteVerb.UPDATE, [(before, dict(after))])
    return True


async def _follow(transaction: WriteTransaction, user: Record, event: ClerkEvent) -> bool:
    changes = {name: value for name, value in (("name", event.name), ("email", event.email)) if value}
    if (
        "email" in changes
        and (await transaction.fetch(_TAKEN, (user["tenant_id"], user["id"], changes["email"])))[0][0]
    ):
        _log.warning("e-mail address of a webhook is another user's", user_id=user["id"])
        del changes["email"]
    viewer = Viewer(ViewerKind.PLATFORM, user["tenant_id"], None, None, RIGHTS, NEVER, token_id=_ACTOR)
    writing = WriteContext(viewer, transaction, SecretKeys())
    try:
        (after,) = await update_rows(writing, USERS, [user["id"]], changes)
    except BadUserInputError as error:  # Clerk would send it again for a day, with the same values
        _log.warning("a webhook's values are not valid here", user_id=user["id"], fields=error.fields)
        return False
    return bool(after["updated_at"] != user["updated_at"])
