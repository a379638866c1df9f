"""The endpoint of Clerk's webhooks, `POST /webhooks/clerk`. It exists only with a secret in the settings."""

import time
from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.request_body import read_body
from core.database.database import Database
from core.errors import InternalError, ProductError, UnauthenticatedError
from core.limits import CLERK_BODY_MAX_BYTES
from core.settings import Settings
from services.users.clerk_webhooks import ClerkSecret, SignedDelivery, apply_event, parse_event

PATH = "/webhooks/clerk"
_log = structlog.get_logger(__name__)


def build_clerk_routes(database: Database, settings: Settings, on_commit: Callable[[], None]) -> list[Route]:
    """The route, if a secret is set. `on_commit` is called after each change of a row.

    Raises:
        StartupError: The secret is malformed.
    """
    if settings.clerk_webhook_secret is None:
        return []
    secret = ClerkSecret(settings.clerk_webhook_secret.get_secret_value())

    async def receive(request: Request) -> Response:
        try:
            await _receive(request, secret, database, on_commit)
        except ProductError as error:
            return _render_error(error)
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log the traceback
            reported = InternalError()
            _log.error("webhook failed", error_id=reported.error_id, exc_info=error)
            return _render_error(reported)
        return Response(status_code=204)

    return [Route(PATH, receive, methods=["POST"])]


async def _receive(
    request: Request, secret: ClerkSecret, database: Database, on_commit: Callable[[], None]
) -> None:
    delivery = SignedDelivery(*(_read_header(request, name) for name in ("id", "timestamp", "signature")))
    body = await read_body(request, CLERK_BODY_MAX_BYTES)
    secret.verify(delivery, body, time.time())
    event = parse_event(delivery.id, body)
    if event is not None:
        changed = await apply_event(database, event, on_commit)
        _log.info("webhook", delivery_id=delivery.id, user_id=event.subject, changed=changed)


def _read_header(request: Request, name: str) -> str:
    values = request.headers.getlist(f"svix-{name}")
    if len(values) != 1 or not values[0] or len(values[0]) > 1_000:
        raise UnauthenticatedError("The webhook is not signed.")
    return values[0]


def _render_error(error: ProductError) -> Response:
    if not isinstance(error, InternalError):
        _log.info("webhook refused", status=error.status, reason=error.message)
    return JSONResponse({"error": error.message}, error.status)
