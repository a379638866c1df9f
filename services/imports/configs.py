"""The configs of imported data sources. Each secret in them is sealed with our keys or left out.

A secret that equals the stored one keeps its envelope, so that a second import changes nothing. A secret that
cannot be read leaves the stored one as it is. So does one that an export shows as `{"secret": true}`.

A stored secret stays only if no destination value changes; otherwise the row is rejected. If the integration
has no schema that marks secrets, each value is treated as one. So is a text with credentials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from core.encryption import SecretKeys
from core.exact_json import dump_json, is_same_json, parse_json
from core.limits import IMPORT_LINE_BYTES_MAX
from core.storable import dump_storable_json
from services.configs.credentials import carries_credentials
from services.configs.destinations import find_changed_destinations
from services.configs.schemas import (
    Path,
    find_child_schema,
    format_path,
    is_secret_value,
    parse_sealing_schema,
)
from services.configs.secret_paths import SECRET_MARKER, is_envelope, is_hidden, iter_secrets
from services.imports.legacy_secrets import LegacyKey, is_sealed
from services.imports.row_values import RowRefusedError, build_refusal
from services.imports.source import TableTally
from services.secrets.config_secrets import open_secret, seal_secret

_EXCLUDED: Final = object()
"""Stands for a secret that is left out."""

_STANDING: Final = (
    "SELECT id, integration_id, config::text FROM public.data_sources WHERE id = ANY($1::text[])"
)
_SCHEMAS: Final = "SELECT id, config_schema::text FROM {integrations} i WHERE id = ANY($1::text[])"
_AGAIN: Final = "must be given again: {} changes, which decides where the secret is sent"


@dataclass(frozen=True, slots=True)
class _StoredConfig:
    """The stored state of a data source: its integration and its config."""

    integration_id: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretImport:
    """The keys for opening and sealing secrets.

    Attributes:
        keys: Our keys; there may be none.
        legacy_key: The key of the exporting system.
    """

    keys: SecretKeys
    legacy_key: LegacyKey | None

    async def seal_records(
        self,
        connection: asyncpg.Connection,
        integrations: str,
        records: Sequence[list[Any]],
        names: list[str],
        tally: TableTally,
    ) -> tuple[list[list[Any]], list[tuple[int, str, str]]]:
        """Seal the secrets in the configs of data sources, in place.

        Args:
            connection: One that can read the stored rows.
            integrations: The SQL source of the catalog.
            records: Data sources, each with its line at the end.
            names: The names of their columns.
            tally: Counts the results for secrets.

        Returns:
            The records with sealed secrets; and line, id and reason of those that are refused.
        """
        if "integration_id" not in names:
            return list(records), []
        own, kind = names.index("id"), names.index("integration_id")
        config = names.index("config") if "config" in names else None
        stored = await _load_stored_configs(connection, {record[own] for record in records})
        query = _SCHEMAS.format(integrations=integrations)
        schemas = await _load_pairs(connection, query, {record[kind] for record in records if record[kind]})
        covered, bad = [], []
        for record in records:
            there = stored.get(record[own], _StoredConfig())
            try:
                if config is None:
                    _require_same_integration(record[kind], there)
                else:
                    cover = _ConfigSealer(self, record[own], there.config, tally)
                    record[config] = cover.text(
                        record[config], parse_sealing_schema(schemas.get(record[kind]))
                    )
                    cover.require_same_destinations(
                        record[kind], there, parse_sealing_schema(schemas.get(record[kind]))
                    )
            except RowRefusedError as error:
                bad.append((record[-1], record[own], str(error)))
            else:
                covered.append(record)
        return covered, bad


async def _load_stored_configs(connection: asyncpg.Connection, ids: set[str]) -> dict[str, _StoredConfig]:
    rows = await connection.fetch(_STANDING, list(ids))
    return {row["id"]: _StoredConfig(row["integration_id"], parse_json(row["config"])) for row in rows}


def _require_same_integration(integration_id: str, there: _StoredConfig) -> None:
    """Refuse a row that would keep stored secrets under another integration."""
    kept = [path for path, value in iter_secrets(there.config, None) if is_envelope(value)]
    if kept and integration_id != there.integration_id:
        raise RowRefusedError(f"{format_path(('config', *kept[0]))}: {_AGAIN.format('integrationId')}")


async def _load_pairs(connection: asyncpg.Connection, query: str, ids: set[str]) -> dict[str, str | None]:
    return {row[0]: row[1] for row in await connection.fetch(query, list(ids))}


def _resembles_secret(value: Any) -> bool:
    """Whether a value is a secret by its form, whatever the schema says."""
    return is_sealed(value) or is_hidden(value) or is_same_json(value, SECRET_MARKER)


class _ConfigSealer:
    """Seals the secrets of one data source's config."""

    def __init__(self, kept: SecretImport, source_id: str, stored: Any, tally: TableTally) -> None:
        self._keys = kept
        self._id = source_id
        self._stored = stored
        self._tally = tally.secrets
        self._made: Any = None
        self._kept: list[Path] = []

    def text(self, config: str, schema: Any) -> str:
        """The config as it is stored. If it consists of one secret that is left out, the stored config stays.

        Raises:
            RowRefusedError: It cannot be stored.
        """
        try:
            made = self.seal(parse_json(config), schema, ())
            self._made = self._stored if made is _EXCLUDED else made
            return dump_storable_json(self._made, IMPORT_LINE_BYTES_MAX)
        except (ValueError, RecursionError) as error:
            raise build_refusal("config", error) from error

    def require_same_destinations(self, integration_id: str, there: _StoredConfig, schema: Any) -> None:
        """Refuse the row if a stored secret would be kept and sent to another destination.

        Raises:
            RowRefusedError: It would.
        """
        if not self._kept:
            return
        if integration_id != there.integration_id:
            changed = "integrationId"
        elif destinations := find_changed_destinations(self._stored, self._made, schema):
            changed = format_path(("config", *destinations[0]))
        else:
            return
        raise RowRefusedError(f"{format_path(('config', *self._kept[0]))}: {_AGAIN.format(changed)}")

    def seal(self, value: Any, schema: Any, path: Path) -> Any:
        """A value with its secrets sealed, in place; `_EXCLUDED` if it is a secret that is left out."""
        if value not in (None, "") and (is_secret_value(schema, value) or _resembles_secret(value)):
            return self._seal_secret(value, path)
        if isinstance(value, dict):
            if any(carries_credentials(key) for key in value):
                raise ValueError("the name of a property must not contain credentials")
            for key, element in value.items():
                value[key] = self.seal(element, find_child_schema(schema, key), (*path, key))
            for key in [key for key, element in value.items() if element is _EXCLUDED]:
                del value[key]
        elif isinstance(value, list):  # indexes in a list stay, since envelopes are bound to them
            for at, element in enumerate(value):
                made = self.seal(element, find_child_schema(schema, at), (*path, at))
                value[at] = None if made is _EXCLUDED else made
        return value

    def _seal_secret(self, value: Any, path: Path) -> Any:
        keys, envelope = self._keys.keys, self._find_envelope(path)
        known = None if envelope is None else open_secret(keys, self._id, path, envelope)
        if is_envelope(value) and (own := open_secret(keys, self._id, path, value)) is not None:
            if own == known or value == envelope:
                self._kept.append(path)
            return value
        secret, problem = self._open_secret(value)
        if problem:
            self._tally.add(problem)
            if envelope is None:
                return _EXCLUDED
            self._kept.append(path)
            return envelope
        if known is not None and known == dump_json(secret):
            self._tally.add("unchanged")
            return envelope
        self._tally.add("encrypted with the first of SECRET_KEYS")
        return seal_secret(keys, self._id, path, secret)

    def _open_secret(self, value: Any) -> tuple[Any, str]:
        """The secret in plain text, or the reason why there is none."""
        if is_same_json(value, SECRET_MARKER):
            return None, "left out: the export does not contain them and only states that they are set"
        if is_envelope(value):
            return (
                None,
                "left out: a server of this kind encrypted them for another row or with another key",
            )
        if is_sealed(value):
            if self._keys.legacy_key is None:
                return None, "left out: IMPORT_SECRET_KEY is not set"
            value = self._keys.legacy_key.decrypt(value)
            if value is None:
                return None, "left out: IMPORT_SECRET_KEY does not decrypt them"
        return (value, "") if self._keys.keys else (None, "left out: SECRET_KEYS is not set")

    def _find_envelope(self, path: Path) -> str | None:
        """The stored value at that path if it is an envelope."""
        value = self._stored
        for key in path:
            if isinstance(value, dict) and isinstance(key, str):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value if is_envelope(value) else None
