"""An import from the first row to the last: read, staged, checked and merged, table by table."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from core.limits import IMPORT_LOT_BYTES, IMPORT_LOT_ROWS
from services.imports import staging
from services.imports.checks import Checks, Known
from services.imports.configs import SecretsKept
from services.imports.log_secrets import blank_secrets
from services.imports.merging import Merge
from services.imports.reading import Read, Source
from services.imports.report import Report, TableReport
from services.imports.shapes import SHAPES, Shape

_AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"

Progress = Callable[[str, str, int], None]
"""Is told the table, what is being done with it, and how many of its bytes are read."""

Tell = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What of an export is wanted, and how.

    Attributes:
        tables: Those that are wanted.
        dry_run: Whether only to find out what would happen.
        strict: Whether one rejected row rejects all.
    """

    tables: frozenset[str] = frozenset(SHAPES)
    dry_run: bool = False
    strict: bool = False


@dataclass(slots=True)
class Loading:
    """One import.

    Attributes:
        connection: The tables' owner's, in a session of its own and in no transaction.
        source: What is imported.
        wishes: How.
        secrets: By what secrets are opened and sealed.
        progress: Is told how far it is.
        report: What has been done so far; true whenever something goes wrong.
    """

    connection: asyncpg.Connection
    source: Source
    wishes: Wishes
    secrets: SecretsKept
    progress: Progress
    report: Report = field(default_factory=Report)
    _known: Known = field(default_factory=Known)

    async def run(self, tell: Tell) -> None:
        """Import every table that is wanted and there.

        With `strict` all of it is one transaction, else each table is.

        Args:
            tell: Awaited at the end, when what was refused can still be read.

        Raises:
            FileRefusedError: The file is broken; the tables in the report are imported unless `strict`.
        """
        self.report.skipped = self.source.skipped
        named = SHAPES.keys() if self.wishes.tables < SHAPES.keys() else set(self.source.missing)
        absent = (self.wishes.tables & named) - self.source.sizes.keys()
        self.report.missing = [table for table in SHAPES if table in absent]
        await staging.prepare(self.connection)
        if self.wishes.strict and not self.wishes.dry_run:
            await self._run_whole(tell)
            return
        self.report.is_kept = not self.wishes.dry_run
        await self._run_tables()
        await tell()

    async def _run_whole(self, tell: Tell) -> None:
        self.report.is_kept = False
        whole = self.connection.transaction()
        await whole.start()
        try:
            await self._run_tables()
            if self.report.rejected:
                await tell()
        except BaseException:
            await whole.rollback()
            raise
        if self.report.rejected:
            await whole.rollback()
            return
        await whole.commit()
        self.report.is_kept = True
        await tell()

    async def _run_tables(self) -> None:
        for shape in SHAPES.values():
            if shape.table in self.source.sizes and shape.table in self.wishes.tables:
                async with self._transaction():
                    await self.connection.execute(_AS_PLATFORM)
                    done = await self._load(shape)
                self.report.tables.append(done)

    def _transaction(self) -> AbstractAsyncContextManager[Any]:
        return (
            nullcontext() if self.wishes.strict and not self.wishes.dry_run else self.connection.transaction()
        )

    async def _load(self, shape: Shape) -> TableReport:
        done = TableReport(shape.table)
        with self.source.table(shape.table, done.tally) as data:
            names = [column.name for column in data.columns]
            await staging.create(self.connection, shape)
            for lot in _lots(data.rows):
                await self._stage(shape, names, lot, done)
        self.progress(shape.table, "checking", self.source.sizes[shape.table])
        await self._settle(shape, names, done)
        return done

    async def _stage(self, shape: Shape, names: list[str], lot: list[Read], done: TableReport) -> None:
        self.progress(shape.table, "reading", lot[-1].position)
        done.read += len(lot)
        good = [[*read.record, read.line] for read in lot if read.record is not None]
        refused = [(shape.table, read.line, read.row_id, read.reason) for read in lot if read.record is None]
        if shape.table == "data_sources" and good:
            catalogue = self._known.sql("integrations", "id, config_schema")
            good, bad = await self.secrets.cover(self.connection, catalogue, good, names, done.tally)
            refused += [(shape.table, *each) for each in bad]
        refused += await staging.send(self.connection, shape, names, good)
        await staging.note(self.connection, refused)
        done.rejected += len(refused)

    async def _settle(self, shape: Shape, names: list[str], done: TableReport) -> None:
        """Check and merge what is staged; before, secrets in logs are blanked."""
        merge = Merge(self.connection, shape)
        await self.connection.execute(f"ANALYZE pg_temp.import_{shape.table}")
        every = {column.name for column in shape.columns}
        await merge.complete(sorted(every - {*names, "tenant_id"}))
        if hidden := await blank_secrets(self.connection, shape):
            done.tally.secrets.add("hidden", hidden)
        checks = Checks(self.connection, shape, self._known)
        await checks.run()
        done.rejected += await staging.note_staged(self.connection, shape)
        self.progress(shape.table, "writing", self.source.sizes[shape.table])
        if self.wishes.dry_run:
            done.merged = await merge.counted()
            self._known.keep(shape)
        else:
            done.merged = await merge.merge(checks.unique)
            await staging.drop(self.connection, shape)


def _lots(rows: Iterator[Read]) -> Iterator[list[Read]]:
    """Rows together, as many as are sent at once."""
    lot: list[Read] = []
    began = 0
    for read in rows:
        lot.append(read)
        if len(lot) >= IMPORT_LOT_ROWS or read.position - began >= IMPORT_LOT_BYTES:
            yield lot
            lot, began = [], read.position
    if lot:
        yield lot
