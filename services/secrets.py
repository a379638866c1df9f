"""The secrets in `data_sources.config`: sealed on their way in, kept where nobody gives new ones, opened for workers.

What is a secret the integration's `configSchema` says (`services.configs`). Whoever saves reads the row FOR UPDATE
first, so that a rotation at the same time is not undone.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from core.encryption import SecretKeys
from core.errors import BadUserInputError, InternalError
from core.limits import CONFIG_BYTES_MAX
from services.configs.merge import Config, Merge
from services.configs.places import changed_at
from services.configs.schemas import Path, dotted, require_redactable
from services.configs.validation import misfits

_NO_KEYS: Final = "is a secret, and this server keeps none: its operator has set no SECRET_KEYS"


def saved_config(
    keys: SecretKeys, data_source_id: str, schema: Any, given: Mapping[str, Any], stored: Mapping[str, Any]
) -> Config:
    """What to store of a config that was given, every secret in it sealed for this data source.

    What is no secret is replaced as a whole. A secret that is missing, blank or `{"secret": true}` stays what it is,
    one that is null goes; a list that holds secrets has to be given with all of them, as places in it move.

    Args:
        keys: the operator's.
        data_source_id: the row that it is for; it must not be read into another.
        schema: the integration's `configSchema`; without one nothing can be configured.
        given: what the client wrote.
        stored: what the row holds, `{}` for a new one.

    Raises:
        BadUserInputError: it does not fit; `fields` by path, without a value. Or there is no key to seal with.
    """
    _require_room(given)
    if schema is None:
        return _nothing(given)
    _require_usable(schema)
    merge = Merge(given, stored, schema)
    fields = merge.fields or misfits(merge.config, schema, merge.kept)
    if not keys:
        fields |= {dotted(("config", *path)): _NO_KEYS for path in merge.new}
    if fields:
        raise BadUserInputError("The config does not fit", fields)

    def sealing(path: Path, value: Any) -> Any:
        return value if path in merge.kept else sealed(keys, data_source_id, path, value)

    config: Config = changed_at(merge.config, schema, sealing)
    return config


def sealed(keys: SecretKeys, data_source_id: str, path: Path, value: Any) -> Any:
    """The envelope of a secret for its place; what is not set stays so."""
    return value if value in (None, "") else keys.seal(orjson.dumps(value), _place(data_source_id, path))


def opened(keys: SecretKeys, data_source_id: str, path: Path, envelope: str) -> bytes | None:
    """The JSON of the secret that an envelope at this place holds; None where no key opens it there."""
    return keys.open(envelope, _place(data_source_id, path))


def opened_config(keys: SecretKeys, data_source_id: str, stored: Mapping[str, Any]) -> Config:
    """A config with its secrets in the clear, for the worker that signs in with them; never for an answer or a log.

    Raises:
        InternalError: a secret opens with none of the keys; the message names its place.
    """

    def opening(path: Path, value: Any) -> Any:
        secret = opened(keys, data_source_id, path, value)
        if secret is None:
            raise InternalError(f"None of SECRET_KEYS opens {dotted(('config', *path))} of {data_source_id}")
        return orjson.loads(secret)

    config: Config = changed_at(dict(stored), None, opening)
    return config


def _place(data_source_id: str, path: Path) -> bytes:
    """What an envelope is bound to."""
    return orjson.dumps([data_source_id, *path])


def _require_room(given: Mapping[str, Any]) -> None:
    try:
        size = len(orjson.dumps(given))
    except TypeError:  # a number or a text that JSON has and we do not keep
        raise BadUserInputError(
            "The config does not fit", {"config": "must be JSON that every reader knows"}
        ) from None
    if size > CONFIG_BYTES_MAX:
        raise BadUserInputError(
            "The config does not fit", {"config": f"must have {CONFIG_BYTES_MAX} bytes or fewer"}
        )


def _nothing(given: Mapping[str, Any]) -> Config:
    if given:
        reason = (
            "must be empty: the integration has no configSchema, so that nobody knows what of it is secret"
        )
        raise BadUserInputError("The config does not fit", {"config": reason})
    return {}


def _require_usable(schema: Any) -> None:
    try:
        require_redactable(schema)
    except BadUserInputError as error:
        raise BadUserInputError(
            "Nothing can be configured: the platform has to put the integration's configSchema right",
            error.fields,
        ) from None
