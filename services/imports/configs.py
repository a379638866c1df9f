"""The configs of imported data sources: every secret in them sealed with our keys, or kept out.

A secret that is the same as the one that stands here keeps its envelope, so that a second import changes nothing. One
that cannot be read, and one that an export shows as `{"secret": true}`, leaves the one that stands here as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from core.encryption import SecretKeys
from services.configs.places import MARKER, is_envelope
from services.configs.schemas import Path, below, is_secret
from services.imports.old_secrets import OldKey, is_sealed
from services.imports.reading import Tally
from services.imports.values import RowRefusedError, json_text, refused
from services.secrets import opened, sealed

_OUT: Final = object()
"""Stands for a secret that is kept out."""

_STANDING: Final = "SELECT id, config::text FROM public.data_sources WHERE id = ANY($1::text[])"
_SCHEMAS: Final = "SELECT id, config_schema::text FROM {integrations} i WHERE id = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class SecretsKept:
    """By what secrets are opened and sealed.

    Attributes:
        keys: Ours; there may be none.
        old: The key of the system that they come from.
    """

    keys: SecretKeys
    old: OldKey | None

    async def cover(
        self,
        connection: asyncpg.Connection,
        integrations: str,
        records: Sequence[list[Any]],
        names: list[str],
        tally: Tally,
    ) -> tuple[list[list[Any]], list[tuple[int, str, str]]]:
        """Cover the secrets in the configs of data sources, in place.

        Args:
            connection: Sees what stands here.
            integrations: SQL of where the catalogue is.
            records: Data sources, each with its line at the end.
            names: The names of their columns.
            tally: Counts what became of the secrets.

        Returns:
            The records that are covered; and of those that cannot be, line, id and reason.
        """
        if not {"config", "integration_id"} <= set(names):
            return list(records), []
        own, kind, config = names.index("id"), names.index("integration_id"), names.index("config")
        standing = await _pairs(connection, _STANDING, {record[own] for record in records})
        query = _SCHEMAS.format(integrations=integrations)
        schemas = await _pairs(connection, query, {record[kind] for record in records if record[kind]})
        covered, bad = [], []
        for record in records:
            there, schema = standing.get(record[own]), schemas.get(record[kind])
            try:
                record[config] = self._covered(record[own], record[config], there, schema, tally)
            except RowRefusedError as error:
                bad.append((record[-1], record[own], str(error)))
            else:
                covered.append(record)
        return covered, bad

    def _covered(
        self, source_id: str, config: str, standing: str | None, schema: str | None, tally: Tally
    ) -> str:
        """A config as it is stored; one that is nothing but a secret kept out leaves what stands here."""
        try:
            there = orjson.loads(standing or "{}")
            made = _Cover(self, source_id, there, tally).of(
                orjson.loads(config), orjson.loads(schema or "null"), ()
            )
            return json_text(there if made is _OUT else made)
        except (ValueError, RecursionError) as error:
            raise refused("config", error) from error


async def _pairs(connection: asyncpg.Connection, query: str, ids: set[str]) -> dict[str, str | None]:
    return {row[0]: row[1] for row in await connection.fetch(query, list(ids))}


def _is_covered(value: Any) -> bool:
    """Whether a value is a secret by its looks, whatever the schema says."""
    return is_sealed(value) or is_envelope(value) or value == MARKER


class _Cover:
    """The covering of one data source's config."""

    def __init__(self, kept: SecretsKept, source_id: str, standing: Any, tally: Tally) -> None:
        self._kept = kept
        self._id = source_id
        self._standing = standing
        self._tally = tally.secrets

    def of(self, value: Any, schema: Any, path: Path) -> Any:
        """A value with its secrets covered, in place; `_OUT` where it is one that is kept out."""
        if value not in (None, "") and (is_secret(schema) or _is_covered(value)):
            return self._secret(value, path)
        if isinstance(value, dict):
            for key, part in value.items():
                value[key] = self.of(part, below(schema, key), (*path, key))
            for key in [key for key, part in value.items() if part is _OUT]:
                del value[key]
        elif isinstance(value, list):  # places in a list stay, as envelopes are bound to them
            for at, part in enumerate(value):
                made = self.of(part, below(schema, at), (*path, at))
                value[at] = None if made is _OUT else made
        return value

    def _secret(self, value: Any, path: Path) -> Any:
        keys, envelope = self._kept.keys, self._envelope(path)
        if is_envelope(value) and opened(keys, self._id, path, value) is not None:
            return value
        secret, problem = self._opened(value)
        if problem:
            self._tally.add(problem)
            return _OUT if envelope is None else envelope
        if envelope is not None and opened(keys, self._id, path, envelope) == orjson.dumps(secret):
            self._tally.add("are the same as those that stand here")
            return envelope
        self._tally.add("sealed with the first of SECRET_KEYS")
        return sealed(keys, self._id, path, secret)

    def _opened(self, value: Any) -> tuple[Any, str]:
        """The secret in the clear, or why there is none."""
        if value == MARKER:
            return None, "kept out: the export does not have them, but only says that they are set"
        if is_envelope(value):
            return (
                None,
                "kept out: they are sealed by a server like this one, for another row or with another key",
            )
        if is_sealed(value):
            if self._kept.old is None:
                return None, "kept out: IMPORT_SECRET_KEY is not set"
            value = self._kept.old.opened(value)
            if value is None:
                return None, "kept out: IMPORT_SECRET_KEY does not open them"
        return (value, "") if self._kept.keys else (None, "kept out: SECRET_KEYS is not set")

    def _envelope(self, path: Path) -> str | None:
        """What stands at that place here, if it is an envelope."""
        value = self._standing
        for key in path:
            if isinstance(value, dict) and isinstance(key, str):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value if is_envelope(value) else None
