"""The middleware around every route, and the request id that responses and the access log carry."""

import re
import uuid
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware import Middleware

from api.allowed_origins import LOCAL_ORIGIN
from api.compression import CompressionMiddleware
from api.cors import LoggedCorsMiddleware
from api.credentials import INVITATION_HEADER, TENANT_HEADER
from core.limits import COMPRESSED_FROM_BYTES
from core.settings import Settings

REQUEST_ID: Final = "X-Request-Id"


TRACEPARENT: Final = "traceparent"


_VALID_REQUEST_ID: Final = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)


def read_request_id(headers: Headers) -> str:
    """The caller's X-Request-Id if it is valid for the log; else a new one."""
    given = headers.getlist(REQUEST_ID)
    return given[0] if len(given) == 1 and _VALID_REQUEST_ID.fullmatch(given[0]) else str(uuid.uuid4())


def build_middleware(settings: Settings) -> list[Middleware]:
    """Level 1 takes a fifth of level 9's time, and compressed rows are hardly larger."""
    compression = Middleware(CompressionMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=1)
    if not (settings.cors_origins or settings.demo):
        return [compression]
    cors = Middleware(
        LoggedCorsMiddleware,
        allow_origins=settings.cors_origins,
        allow_origin_regex=LOCAL_ORIGIN.pattern if settings.demo else None,
        allow_methods=("GET", "POST"),
        allow_headers=(
            "Authorization",
            "Content-Type",
            INVITATION_HEADER,
            REQUEST_ID,
            TENANT_HEADER,
            TRACEPARENT,
            *settings.cors_headers,
        ),
        expose_headers=settings.cors_exposed_headers,
    )
    return [cors, compression]
