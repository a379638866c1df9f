"""Runs an import table by table: read, stage, check and merge."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from core.limits import IMPORT_BATCH_BYTES, IMPORT_BATCH_ROWS
from services.imports import staging
from services.imports.catalog import prepare_schemas
from services.imports.configs import SecretImport
from services.imports.derived_values import derive_values
from services.imports.import_tables import IMPORT_TABLES, ImportTable
from services.imports.log_secrets import redact_staged_log
from services.imports.merging import TableMerge
from services.imports.report import ImportReport, TableReport
from services.imports.row_checks import ReferenceTargets, RowChecks
from services.imports.source import ExportSource, RowRead
from services.imports.user_ids import UserIds
from services.imports.yielding import YieldingRows

_AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"

Progress = Callable[[str, str, int], None]
"""Called with the table, the current step, and the number of the table's bytes read so far."""

WriteLine = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The selection and options of an import.

    Attributes:
        tables: The tables to import.
        dry_run: Whether only to report the result, without writing it.
        strict: Whether one rejected row rejects all.
        user_id_field: The field with the ids of users, as the source was opened with; None for the usual one.
    """

    tables: frozenset[str] = frozenset(IMPORT_TABLES)
    dry_run: bool = False
    strict: bool = False
    user_id_field: str | None = None


@dataclass(slots=True)
class ImportRun:
    """One import.

    Attributes:
        connection: The tables' owner's, in a session of its own and in no transaction.
        source: The export.
        options: The selection and options.
        secrets: The keys for opening and sealing secrets.
        progress: Called with the progress.
        report: The results so far; correct even if an error ends the import.
    """

    connection: asyncpg.Connection
    source: ExportSource
    options: ImportOptions
    secrets: SecretImport
    progress: Progress
    report: ImportReport = field(default_factory=ImportReport)
    _reference_targets: ReferenceTargets = field(default_factory=ReferenceTargets)
    _user_ids: UserIds | None = None

    async def run(self, write_line: WriteLine) -> None:
        """Import every selected table that the export has.

        With `strict` all tables are one transaction. Otherwise each table is one.

        Args:
            write_line: Awaited at the end, while the refused rows can still be read.

        Raises:
            FileRefusedError: The file is broken; the tables in the report are imported unless `strict`.
        """
        self.report.skipped = self.source.skipped
        named = (
            IMPORT_TABLES.keys() if self.options.tables < IMPORT_TABLES.keys() else set(self.source.missing)
        )
        absent = (self.options.tables & named) - self.source.sizes.keys()
        self.report.missing = [table for table in IMPORT_TABLES if table in absent]
        await staging.create_refusals_table(self.connection)
        if self.options.user_id_field is not None:
            await self._prepare_user_ids()
        if self.options.strict and not self.options.dry_run:
            await self._run_in_transaction(write_line)
            return
        self.report.is_committed = not self.options.dry_run
        await self._run_tables()
        await write_line()

    async def _prepare_user_ids(self) -> None:
        self._user_ids = UserIds(self.connection)
        await self._user_ids.create()
        if "users" in self.source.sizes and "users" not in self.options.tables:
            await self._user_ids.read(self.source)

    async def _run_in_transaction(self, write_line: WriteLine) -> None:
        self.report.is_committed = False
        whole = self.connection.transaction()
        await whole.start()
        try:
            await self._run_tables()
            if self.report.rejected:
                await write_line()
        except BaseException:
            await whole.rollback()
            raise
        if self.report.rejected:
            await whole.rollback()
            return
        await whole.commit()
        self.report.is_committed = True
        await write_line()

    async def _run_tables(self) -> None:
        for shape in IMPORT_TABLES.values():
            if shape.table in self.source.sizes and shape.table in self.options.tables:
                async with self._transaction():
                    await self.connection.execute(_AS_PLATFORM)
                    done = await self._load_table(shape)
                self.report.tables.append(done)

    def _transaction(self) -> AbstractAsyncContextManager[Any]:
        return (
            nullcontext()
            if self.options.strict and not self.options.dry_run
            else self.connection.transaction()
        )

    async def _load_table(self, shape: ImportTable) -> TableReport:
        done = TableReport(shape.table)
        with self.source.open_table(shape.table, done.tally) as data:
            names = [column.name for column in data.columns]
            await staging.create_staging_table(self.connection, shape)
            for batch in _iter_batches(data.rows):
                await self._stage_batch(shape, names, batch, done)
        self.progress(shape.table, "checking", self.source.sizes[shape.table])
        await self._check_and_merge(shape, names, done)
        return done

    async def _stage_batch(
        self, shape: ImportTable, names: list[str], batch: list[RowRead], done: TableReport
    ) -> None:
        self.progress(shape.table, "reading", batch[-1].position)
        done.read += len(batch)
        good = [[*read.record, read.line] for read in batch if read.record is not None]
        refused = [
            (shape.table, read.line, read.row_id, read.reason) for read in batch if read.record is None
        ]
        if shape.table == "integrations":
            await prepare_schemas(self.connection, good, names, done.tally)
        if shape.table == "data_sources" and good:
            catalogue = self._reference_targets.sql("integrations", "id, config_schema")
            good, bad = await self.secrets.seal_records(self.connection, catalogue, good, names, done.tally)
            refused += [(shape.table, *each) for each in bad]
        if self._user_ids is not None and shape.table == "users":
            await self._user_ids.add(batch, names.index("id"))
        refused += await staging.copy_records(self.connection, shape, names, good)
        await staging.record_refusals(self.connection, refused)
        done.rejected += len(refused)

    async def _check_and_merge(self, shape: ImportTable, names: list[str], done: TableReport) -> None:
        """Check and merge the staged rows. Before that, redact the secrets in logs."""
        merge = TableMerge(self.connection, shape)
        await self.connection.execute(f"ANALYZE pg_temp.import_{shape.table}")
        every = {column.name for column in shape.columns}
        await merge.fill_missing_columns(sorted(every - {*names, "tenant_id"}))
        if self._user_ids is not None:
            await self._user_ids.translate(shape)
        await derive_values(self.connection, shape, self._reference_targets, done.tally)
        if hidden := await redact_staged_log(self.connection, shape):
            done.tally.secrets.add("hidden", hidden)
        checks = RowChecks(self.connection, shape, self._reference_targets)
        await checks.check_all()
        done.rejected += await staging.record_staged_refusals(self.connection, shape)
        yielding = YieldingRows(self.connection, shape, done.tally)
        await yielding.find(checks.unique)
        self.progress(shape.table, "writing", self.source.sizes[shape.table])
        if self.options.dry_run:
            done.merged = await merge.count_changes()
            await yielding.count_changes()
            self._reference_targets.add_staged(shape)
        else:
            done.merged = await merge.execute(checks.unique, yielding)
            await staging.drop_staging_table(self.connection, shape)


def _iter_batches(rows: Iterator[RowRead]) -> Iterator[list[RowRead]]:
    """Rows in batches of the size in which they are sent."""
    batch: list[RowRead] = []
    began = 0
    for read in rows:
        batch.append(read)
        if len(batch) >= IMPORT_BATCH_ROWS or read.position - began >= IMPORT_BATCH_BYTES:
            yield batch
            batch, began = [], read.position
    if batch:
        yield batch
