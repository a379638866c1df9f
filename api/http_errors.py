"""Errors of HTTP itself, which every endpoint can have: a status, and headers of the response."""

from collections.abc import Mapping

from core.errors import BadUserInputError


class RefusedRequestError(BadUserInputError):
    """The HTTP of the request is invalid; `headers` are for the response."""

    headers: Mapping[str, str] = {}


class BodyTooLargeError(RefusedRequestError):
    """The body exceeds the allowed size. The rest of it is not read."""

    status = 413
    headers: Mapping[str, str] = {"Connection": "close"}

    def __init__(self, allowed: int) -> None:
        super().__init__(f"The body must have at most {allowed} bytes")


class MethodNotAllowedError(RefusedRequestError):
    """The endpoint does not support this method."""

    status = 405

    def __init__(self, method: str, *allowed: str) -> None:
        usual = " or ".join(name for name in allowed if name != "OPTIONS")
        super().__init__(f"Method {method} not allowed: use {usual}")
        self.headers = {"Allow": ", ".join(allowed)}
