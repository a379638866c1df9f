"""The secrets in `data_sources.config`: sealed when written, kept if no new ones are given, opened for workers.

The integration's `configSchema` marks the secrets (`services.configs`). A writer first reads the row FOR
UPDATE, so that it does not undo a concurrent rotation.
"""

from collections.abc import Mapping
from typing import Any, Final

from core.encryption import SecretKeys
from core.errors import BadUserInputError, InternalError
from core.exact_json import dump_json, parse_json
from core.limits import CONFIG_BYTES_MAX
from services.configs.destinations import find_changed_destinations
from services.configs.merge import Config, ConfigMerge
from services.configs.schemas import Path, format_path, require_redactable
from services.configs.secret_paths import is_envelope, replace_secrets
from services.configs.validation import find_config_problems

_NO_KEYS_MESSAGE: Final = (
    "is a secret, but the server cannot store secrets: the operator must set SECRET_KEYS"
)


def seal_config(
    keys: SecretKeys, data_source_id: str, schema: Any, given: Mapping[str, Any], stored: Mapping[str, Any]
) -> Config:
    """The config to store: the given one with every secret sealed for this data source.

    Values that are not secrets are replaced as a whole. A secret that is missing, blank or `{"secret": true}`
    keeps the stored value, and null removes it. A list with secrets has to be given with all of them, since
    its indexes may change. A stored secret is not kept if a destination value changes
    (`services.configs.destinations`).

    Args:
        keys: The operator's keys.
        data_source_id: The row's id. The envelopes are valid in this row only.
        schema: The integration's `configSchema`. Without one nothing can be configured.
        given: The client's config.
        stored: The stored config, `{}` for a new row.

    Raises:
        BadUserInputError: It does not fit; `fields` by path, without a value. Or there is no key to seal with.
    """
    _require_size(given)
    if schema is None:
        return _require_empty(given)
    _require_redactable(schema)
    merge = ConfigMerge(given, stored, schema)
    fields = merge.fields or (
        find_config_problems(merge.config, schema, merge.kept) | _find_sent_elsewhere(merge, stored, schema)
    )
    if not keys:
        fields |= {format_path(("config", *path)): _NO_KEYS_MESSAGE for path in merge.new}
    if fields:
        raise BadUserInputError("Invalid config", fields)

    def seal_at(path: Path, value: Any) -> Any:
        return value if path in merge.kept else seal_secret(keys, data_source_id, path, value)

    config: Config = replace_secrets(merge.config, schema, seal_at)
    return config


def _find_sent_elsewhere(merge: ConfigMerge, stored: Mapping[str, Any], schema: Any) -> dict[str, str]:
    """The secrets that would be kept although a destination value changes."""
    changed = find_changed_destinations(stored, merge.config, schema) if merge.retained else []
    if not changed:
        return {}
    reason = (
        f"must be given again: `{format_path(('config', *changed[0]))}` changes, which decides where the "
        "secret is sent"
    )
    return {format_path(("config", *path)): reason for path in merge.retained}


def seal_secret(keys: SecretKeys, data_source_id: str, path: Path, value: Any) -> Any:
    """The envelope of a secret for its path. An unset value stays unset."""
    return (
        value
        if value in (None, "")
        else keys.seal(dump_json(value), _build_secret_context(data_source_id, path))
    )


def open_secret(keys: SecretKeys, data_source_id: str, path: Path, envelope: str) -> bytes | None:
    """The JSON of the secret in an envelope at this path; None if no key opens it there."""
    return keys.open(envelope, _build_secret_context(data_source_id, path))


def open_config(keys: SecretKeys, data_source_id: str, stored: Mapping[str, Any]) -> Config:
    """A config with its secrets in plain text, for the worker that signs in with them. It must not be sent or logged.

    Raises:
        InternalError: A secret opens with none of the keys; the message names its path.
    """

    def open_at(path: Path, value: Any) -> Any:
        if not is_envelope(value):
            return value
        secret = open_secret(keys, data_source_id, path, value)
        if secret is None:
            raise InternalError(
                f"None of SECRET_KEYS decrypts {format_path(('config', *path))} of {data_source_id}"
            )
        return parse_json(secret)

    config: Config = replace_secrets(dict(stored), None, open_at)
    return config


def _build_secret_context(data_source_id: str, path: Path) -> bytes:
    """The data that an envelope is bound to."""
    return dump_json([data_source_id, *path])


def _require_size(given: Mapping[str, Any]) -> None:
    try:
        size = len(dump_json(given))
    except ValueError as error:  # a number or a text that JSON allows and we do not store
        raise BadUserInputError("Invalid config", {"config": str(error)}) from None
    if size > CONFIG_BYTES_MAX:
        raise BadUserInputError("Invalid config", {"config": f"must have {CONFIG_BYTES_MAX} bytes or fewer"})


def _require_empty(given: Mapping[str, Any]) -> Config:
    if given:
        reason = "must be empty: the integration has no configSchema, so the secret properties are unknown"
        raise BadUserInputError("Invalid config", {"config": reason})
    return {}


def _require_redactable(schema: Any) -> None:
    try:
        require_redactable(schema)
    except BadUserInputError as error:
        raise BadUserInputError(
            "The integration cannot be configured: the platform must correct its configSchema",
            error.fields,
        ) from None
