"""Broken and malicious files: a clear message and an unchanged database, or the rows as reported."""

import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from core.encryption import SecretKeys
from core.errors import FileRefusedError
from core.limits import IMPORT_HINT_BYTES_MAX, IMPORT_LINE_BYTES_MAX
from core.settings import Settings
from services.imports.archive import Archive
from services.imports.command import ExportOrigin, import_data, open_source
from services.imports.import_run import ImportOptions
from tests.e2e.servers import ROOT
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import make_exported_world, without_secrets
from tests.exports.supabase import DUMP_END, write_dump
from tests.import_harness import expect_tables, read_tables, run_import

pytestmark = pytest.mark.newest

ROWS: Final = without_secrets(make_exported_world())
TENANT: Final = b'{"_id":"%s","_creationTime":1.0,"name":"T","status":"active"}\n'


def _write_archive(path: Path, **members: bytes) -> Path:
    """A ZIP file. Double underscores in names are slashes, and all names end with .jsonl."""
    with zipfile.ZipFile(path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", b"")
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".jsonl", content)
    return path / "a.zip"


def _write_truncated_archive(path: Path) -> Path:
    whole = write_snapshot(path / "a.zip", ROWS).read_bytes()
    (path / "a.zip").write_bytes(whole[: len(whole) // 2])
    return path / "a.zip"


def _write_archive_with_corrupt_directory(path: Path) -> Path:
    whole = bytearray(write_snapshot(path / "a.zip", ROWS).read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[at : at + 400] = bytes(400)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _write_zip_bomb(path: Path) -> Path:
    return _write_archive(path, tenants__documents=b" " * (100 << 20))


def _write_archive_with_overlapping_members(path: Path) -> Path:
    """Two members that share their bytes, as in advanced ZIP bombs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("_tables", "tenants", "sites"):
            archive.writestr(f"{name}/documents.jsonl", TENANT % b"t1")
    whole = bytearray(buffer.getvalue())
    last = whole.rindex(b"PK\x01\x02")
    first = whole.index(b"PK\x03\x04", 4)
    struct.pack_into("<I", whole, last + 42, first)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _write_archive_with_duplicate_member(path: Path) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        archive.writestr("tenants/documents.jsonl", TENANT % b"t1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("tenants/documents.jsonl", TENANT % b"t2")
    return path / "a.zip"


def _write_archive_with_huge_directory(path: Path) -> Path:
    whole = bytearray(_write_archive(path, tenants__documents=TENANT % b"t1").read_bytes())
    struct.pack_into("<I", whole, whole.rindex(b"PK\x05\x06") + 12, 200 << 20)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _write_encrypted_archive(path: Path) -> Path:
    whole = bytearray(_write_archive(path, tenants__documents=TENANT % b"t1").read_bytes())
    for at in (whole.rindex(b"PK\x01\x02") + 8, whole.rindex(b"PK\x03\x04") + 6):
        struct.pack_into("<H", whole, at, 1)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _make_file_writer(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        (path / name).write_bytes(content)
        return path if name.endswith((".csv", ".dat")) else path / name

    return write


def _write_truncated_dump(path: Path) -> Path:
    dump = write_dump(path / "dump.sql", ROWS)
    dump.write_bytes(dump.read_bytes()[:60_000])
    return dump


def _write_dump_truncated_between_tables(path: Path) -> Path:
    dump = write_dump(path / "dump.sql", ROWS)
    whole = dump.read_bytes()
    dump.write_bytes(whole[: whole.rindex(b"\n\\.\n", 0, len(whole) // 2) + 4])
    return dump


def _write_dump_followed_by_truncated_one(path: Path) -> Path:
    dump = write_dump(path / "dump.sql", {"tenants": ROWS["tenants"]})
    dump.write_bytes(dump.read_bytes() + b"--\n-- PostgreSQL database dump\n--\n")
    return dump


def _write_truncated_cluster_dump(path: Path) -> Path:
    """A dump of pg_dumpall without its end."""
    dump = write_dump(path / "dump.sql", {"tenants": ROWS["tenants"]})
    dump.write_bytes(b"--\n-- PostgreSQL database cluster dump\n--\n" + dump.read_bytes())
    return dump


def _make_dump_writer(change: Callable[[bytes], bytes], name: str = "d.sql") -> Callable[[Path], Path]:
    """Writes a small whole dump, changed."""

    def write(path: Path) -> Path:
        dump = write_dump(path / name, {"tenants": ROWS["tenants"]})
        dump.write_bytes(change(dump.read_bytes()))
        return dump

    return write


_ONE_TENANT: Final = b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"


def _write_archive_without_tables(path: Path) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    return path / "a.zip"


REFUSED: Final[dict[str, tuple[Callable[[Path], Path], str]]] = {
    "cut off": (_write_truncated_archive, "is not a ZIP file, or is truncated"),
    "no directory": (_write_archive_with_corrupt_directory, "is not a ZIP file, or is truncated"),
    "no zip": (
        _make_file_writer("a.zip", b"hello"),
        "is not a ZIP file, or is truncated: its end is missing",
    ),
    "nothing": (_make_file_writer("a.zip", b""), "is not a ZIP file"),
    "another zip": (
        _write_archive_without_tables,
        "no Convex snapshot: it must contain _tables/documents.jsonl",
    ),
    "bomb": (_write_zip_bomb, r"it would expand to 104,857,600 bytes, \d+ times its size"),
    "overlapping bomb": (
        _write_archive_with_overlapping_members,
        "its members overlap, as in a ZIP bomb",
    ),
    "a huge directory": (_write_archive_with_huge_directory, "its list of members has 209,715,200 bytes"),
    "a table twice": (
        _write_archive_with_duplicate_member,
        "contains tenants/documents.jsonl 2 times: it must occur once",
    ),
    "encrypted": (_write_encrypted_archive, "tenants/documents.jsonl is encrypted"),
    "dump cut off": (_write_truncated_dump, r"is truncated: the rows of \w+, from line \d+, do not end"),
    "dump of another format": (_make_file_writer("d.sql", b"PGDMP\1\2"), "pg_restore --file=dump.sql"),
    "dump cut off between tables": (
        _write_dump_truncated_between_tables,
        "is truncated: after the last table it must have the line `-- PostgreSQL database dump complete`",
    ),
    "dump and the beginning of one more": (_write_dump_followed_by_truncated_one, "is truncated: after the"),
    "dump of a cluster cut off": (_write_truncated_cluster_dump, "is truncated: after the last table"),
    "dump of nothing": (_make_file_writer("d.sql", DUMP_END), "has no COPY of a table in public"),
    "dump with inserts": (
        _make_file_writer("d.sql", b"SELECT 1;\nINSERT INTO public.sites VALUES (1);\n" + DUMP_END),
        "its rows as INSERT statements, as in line 2, and only COPY is read: write it again without --inserts",
    ),
    "dump with inserts of the CLI of Supabase": (
        _make_file_writer("d.sql", b'INSERT INTO "public"."sites" ("id") VALUES\n\t(\'1\');\n' + DUMP_END),
        "or with `supabase db dump --data-only --use-copy`",
    ),
    "dump with inserts without a schema": (
        _make_file_writer("d.sql", b"insert into tenants(id) values ('1');\n" + DUMP_END),
        "its rows as INSERT statements",
    ),
    "dump with inserts of one table": (
        _make_file_writer("d.sql", _ONE_TENANT + b"INSERT INTO public.sites VALUES (1);\n" + DUMP_END),
        "its rows as INSERT statements, as in line 4",
    ),
    "dump in UTF-16 with a mark": (
        _make_dump_writer(lambda text: text.decode().encode("utf-16")),
        r"is in UTF-16, as PowerShell .* `pg_dump --file=dump.sql`, or convert it with `iconv -f UTF-16 -t",
    ),
    "dump in UTF-16 of the other order with a mark": (
        _make_dump_writer(lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be")),
        "is in UTF-16, as PowerShell",
    ),
    "dump in UTF-16 without a mark": (
        _make_dump_writer(lambda text: text.decode().encode("utf-16-le")),
        "is in UTF-16LE, as PowerShell",
    ),
    "dump in UTF-32": (_make_dump_writer(lambda text: text.decode().encode("utf-32")), "is in UTF-32"),
    "compressed dump": (_make_file_writer("d.sql", b"\x1f\x8b\x08"), "is compressed: expand it with gunzip"),
    "dump compressed by zstd": (
        _make_file_writer("d.sql", b"\x28\xb5\x2f\xfd"),
        "is compressed: expand it with unzstd",
    ),
    "dump in the tar format": (
        _make_file_writer("d.tar", b"toc.dat".ljust(257, b"\0") + b"ustar\x0000"),
        "is a tar file: if pg_dump wrote it, convert it with `pg_restore",
    ),
    "dump in the directory format": (
        _make_file_writer("toc.dat", b"PGDMP"),
        "is a dump in PostgreSQL's directory format: convert it to text with `pg_restore",
    ),
    "no such file": (lambda path: path / "none.zip", "does not exist"),
    "no csv": (_make_file_writer("readme.csv", b"a,b\n"), "has no CSV file of a table"),
    "csv in UTF-16": (
        _make_file_writer("tenants.csv", "id,name\nt1,A\n".encode("utf-16")),
        r"tenants\.csv is in UTF-16",
    ),
    "compressed csv": (_make_file_writer("tenants.csv", b"\x1f\x8b\x08"), "is compressed: expand it with"),
    "csv without header": (
        _make_file_writer("tenants.csv", b""),
        "is empty: its first line must name the columns",
    ),
    "csv without id": (_make_file_writer("tenants.csv", b"name\nT\n"), "has no column `id`"),
    "csv with a column twice": (
        _make_file_writer("tenants.csv", b"id,name,name\n1,2,3\n"),
        "has the column 'name' twice",
    ),
    "csv without a needed column": (_make_file_writer("tenants.csv", b"id\nt1\n"), "has no column `name`"),
    "csv of roles without tenants": (
        _make_file_writer("roles.csv", b"id,name,description\nr1,R,D\n"),
        "roles has no column `tenant_id`",
    ),
    "csv of changes without tenants": (
        _make_file_writer("audit_log.csv", b"id,table_name,record_id,action\n1,sites,2,create\n"),
        "audit_log has no column `tenant_id`",
    ),
    "csv cut off": (
        _make_file_writer("tenants.csv", b'id,name\nt1,A\nt2,"B\nt3,C\n'),
        "tenants.csv, line 3: unexpected end of data",
    ),
    "csv with a stray quote": (
        _make_file_writer("tenants.csv", b'id,name\nt1,"A"x\n'),
        "tenants.csv, line 2: ",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
async def test_import_unusable_file_is_refused_and_changes_nothing(
    database_url: str, tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    before = await read_tables(database_url)
    with pytest.raises(FileRefusedError, match=message) as caught:
        await run_import(database_url, make(tmp_path))
    assert "\n" not in str(caught.value)
    assert await read_tables(database_url) == before


async def test_import_aborted_by_bad_file_reports_earlier_rejections(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\nt2\t\\N\n\\.\n"
        b"COPY public.sites (id, id) FROM stdin;\n\\.\n" + DUMP_END
    )
    output = io.StringIO()
    source = open_source(ExportOrigin.SUPABASE, path)
    with pytest.raises(FileRefusedError, match="sites has the column 'id' twice"):
        await import_data(database_url, Settings(), source, ImportOptions(), output, SecretKeys())
    source.close()
    lines = output.getvalue().split("\n")
    assert lines[:2] == ["tenants, line 3 (t2): name: is required", "Imported before the failure: tenants"]
    assert lines[3].split() == ["tenants", "2", "1", "0", "0", "1"]
    assert list((await read_tables(database_url))["tenants"]) == ["t1"]


async def test_import_corrupt_member_leaves_its_table_unchanged(database_url: str, tmp_path: Path) -> None:
    """The tables before it are imported, as reported. The table itself is not, and neither are those after it."""
    path = write_snapshot(tmp_path / "a.zip", ROWS)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("agents/documents.jsonl")
    whole = bytearray(path.read_bytes())
    middle = member.header_offset + 60 + member.compress_size // 2
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(whole)
    with pytest.raises(FileRefusedError, match=r"agents/documents\.jsonl in .* is damaged or truncated"):
        await run_import(database_url, path)
    there = await read_tables(database_url)
    assert {table for table, rows in there.items() if rows} == {
        "tenants", "integrations", "roles", "users", "sites", "data_sources", "data_source_to_site",
    }  # fmt: skip
    with pytest.raises(FileRefusedError):
        await run_import(database_url, path, strict=True)
    assert await read_tables(database_url) == there


async def test_import_archive_members_with_path_traversal_are_ignored(
    database_url: str, tmp_path: Path
) -> None:
    evil = {
        "../tenants/documents.jsonl": TENANT % b"outside",
        "/tenants/documents.jsonl": TENANT % b"root",
        "tenants/../tenants/documents.jsonl": TENANT % b"around",
        "tenants\\documents.jsonl": TENANT % b"windows",
        "_components/x/tenants/documents.jsonl": TENANT % b"component",
        "e\x1b[31mvil/documents.jsonl": b"",
    }
    outcome = await run_import(database_url, write_snapshot(tmp_path / "a.zip", ROWS, more_members=evil))
    assert outcome.report.rejected == 0
    assert await read_tables(database_url) == expect_tables(ROWS)
    assert "\x1b" not in outcome.text
    assert os.listdir(tmp_path) == ["a.zip"]  # noqa: PTH208 - iterdir() blocks a coroutine


BAD_LINES: Final = {
    b"{": "must be JSON: ",
    b"[1]": "must be an object",
    b"null": "must be an object",
    b'{"name":"T"}': "must have an _id",
    b'{"_id":7}': "must have an _id",
    b'{"_id":"","_creationTime":1.0,"name":"T"}': "the id must not be empty",
    b'{"_id":"t","_creationTime":1.0,"name":"\xff"}': "must be JSON: ",
    b'{"_id":"t","_creationTime":1.0,"name":"\\ud800"}': "must be JSON: ",
    b'{"_id":"t","_creationTime":1.0,"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}": "must be JSON: ",
    b'{"_id":"t","_creationTime":{"$float":"AAAAAAAA+H8="},"name":"T"}': "createdAt: must be a number",
    b'{"_id":"t","_creationTime":1e300,"name":"T"}': "createdAt: must be a time",
    b'{"_id":"t","name":"T"}': "createdAt: is required",
    b'{"_id":"t","_creationTime":1.0,"name":"T","metadata":{"a":"\\u0000"}}': "metadata: must not contain a NUL",
    b'{"_id":"a\\u001b[2Jb","_creationTime":1.0}': "name: is required",
    b'{"_id":"' + b"x" * 700 + b'","_creationTime":1.0,"name":"T"}': "id: must have at most 600 bytes",
}


async def test_import_jsonl_lines_without_a_row_are_rejected_by_line(
    database_url: str, tmp_path: Path
) -> None:
    lines = b"".join(line + b"\n" for line in BAD_LINES)
    content = TENANT % b"t1" + b"\n" + lines + (TENANT % b"t2").rstrip()
    outcome = await run_import(database_url, _write_archive(tmp_path, tenants__documents=content))
    assert sorted((await read_tables(database_url))["tenants"]) == ["t1", "t2"]
    said = dict(line.removeprefix("tenants, line ").split(": ", 1) for line in outcome.rejection_lines)
    by_number = {int(number.split(" ")[0]): reason for number, reason in said.items()}
    for number, reason in enumerate(BAD_LINES.values(), 3):
        assert by_number.pop(number).startswith(reason)
    assert not by_number
    assert "\x1b" not in outcome.text


async def test_import_dump_lines_without_a_row_are_rejected_by_line(
    database_url: str, tmp_path: Path
) -> None:
    lines = [
        b"t1\tone",
        b"t2",
        b"t3\tthree\tmore",
        b"t4\t\xff",
        b"t5\t\\N",
        b"\\N\tsix",
        b"t7\tse\\tven",
        b"",
        b"t9\tnine",
    ]
    path = tmp_path / "d.sql"
    path.write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\n" + b"\n".join(lines) + b"\n\\.\n" + DUMP_END
    )
    outcome = await run_import(database_url, path)
    there = (await read_tables(database_url))["tenants"]
    assert {row_id: row["name"] for row_id, row in there.items()} == {
        "t1": "one",
        "t7": "se\tven",
        "t9": "nine",
    }
    assert outcome.rejection_lines == [
        "tenants, line 3: must have 2 fields as the header has, not 1",
        "tenants, line 4: must have 2 fields as the header has, not 3",
        "tenants, line 9: must have 2 fields as the header has, not 1",
        "tenants, line 5: must be valid UTF-8",
        "tenants, line 6 (t5): name: is required",
        "tenants, line 7: id: is required",
    ]
    assert outcome.lines_before_counts[0] == (
        "tenants: 3 rows are rejected: must have 2 fields as the header has, not …"
    )


async def test_import_dump_with_byte_order_mark_and_trailing_commands_is_read(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "d.sql"
    path.write_bytes(b"\xef\xbb\xbf" + _ONE_TENANT + DUMP_END + b"\\unrestrict x\n\nRESET ALL;\n")
    await run_import(database_url, path)
    assert list((await read_tables(database_url))["tenants"]) == ["t1"]


async def test_import_dump_with_inserts_into_other_tables_is_read(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "d.sql"
    other = b"INSERT INTO auth.users VALUES (1);\nINSERT INTO public.sites_old VALUES (1);\n"
    path.write_bytes(_ONE_TENANT + other + DUMP_END)
    await run_import(database_url, path)
    assert list((await read_tables(database_url))["tenants"]) == ["t1"]


async def test_import_bad_csv_rows_are_rejected_by_line(database_url: str, tmp_path: Path) -> None:
    content = (
        '\ufeffid,name\r\nt1,"one\nand ""more"""\r\nt2\r\n\r\n,nobody\r\nt5,fünf'.encode()
        + b"\nt6,\xff\nt7,seven"
    )
    (tmp_path / "tenants.csv").write_bytes(content)
    outcome = await run_import(database_url, tmp_path)
    there = (await read_tables(database_url))["tenants"]
    assert {i: row["name"] for i, row in there.items()} == {
        "t1": 'one\nand "more"',
        "t5": "fünf",
        "t7": "seven",
    }
    assert outcome.rejection_lines == [
        "tenants, line 4: must have 2 fields as the header has, not 1",
        "tenants, line 6: id: is required",
        "tenants, line 8: must be valid UTF-8",
    ]


def _nest_json(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("schema", [b'"uniform"', b'"{\\"metadata\\": unknown}"'], ids=["newer", "older"])
async def test_import_id_with_nul_or_deep_metadata_is_a_rejected_row(
    database_url: str, tmp_path: Path, schema: bytes
) -> None:
    rows = [
        b'{"_id":"n\\u0000l","_creationTime":1.0,"name":"T"}\n',
        *(
            b'{"_id":"d%d","_creationTime":1.0,"name":"T","metadata":%s}\n' % (levels, _nest_json(levels))
            for levels in (300, 500, 1_000)
        ),
        TENANT % b"t1",
    ]
    path = _write_archive(tmp_path, tenants__documents=b"".join(rows), tenants__generated_schema=schema)
    outcome = await run_import(database_url, path)
    assert list((await read_tables(database_url))["tenants"]) == ["t1"]
    assert outcome.rejection_lines[0] == "tenants, line 1 (n\\x00l): id: must not contain a NUL character"
    assert [line.partition(": ")[0] for line in outcome.rejection_lines[1:]] == [
        "tenants, line 2 (d300)", "tenants, line 3 (d500)", "tenants, line 4 (d1000)",
    ]  # fmt: skip


async def test_import_dump_id_with_nul_is_a_rejected_row(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "d.sql").write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\na\\000b\tone\nt2\ttwo\n\\.\n" + DUMP_END
    )
    outcome = await run_import(database_url, tmp_path / "d.sql")
    assert outcome.rejection_lines[0].startswith(
        "tenants, line 2 (a\\x00b): id: must not contain a NUL character"
    )
    assert list((await read_tables(database_url))["tenants"]) == ["t2"]


NOT_JSON: Final = "must be JSON of finite numbers and whole surrogate pairs, and not nested too deeply"
ROLE: Final = b"COPY public.roles (id, tenant_id, name, description) FROM stdin;\nr1\tt1\tR\tD\n\\.\n"


async def test_import_metadata_at_the_nesting_limit_is_a_rejected_row(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "d.sql").write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n" + ROLE
        + b"COPY public.users (id, tenant_id, role_id, email, name, status, metadata) FROM stdin;\n"
        b"u1\tt1\tr1\ta@example.com\tA\tinvited\t%s\nu2\tt1\tr1\tb@example.com\tB\tinvited\t{}\n\\.\n"
        % _nest_json(300) + DUMP_END
    )  # fmt: skip
    outcome = await run_import(database_url, tmp_path / "d.sql")
    assert outcome.rejection_lines == [f"users, line 8 (u1): metadata: {NOT_JSON}"]
    assert list((await read_tables(database_url))["users"]) == ["u2"]


async def test_import_configs_that_cannot_be_redacted_are_rejected_rows(
    database_url: str, tmp_path: Path
) -> None:
    """A config that is nothing but a secret is not refused: the stored config stays."""
    head = (
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"
        b"COPY public.integrations (id, name, description, category, config_schema) FROM stdin;\n"
        b'i1\tI\tD\tpsa\t{"properties": {"a": {"type": "number"}}}\n\\.\n'
        b"COPY public.data_sources (id, tenant_id, integration_id, config) FROM stdin;\n"
    )
    sources = [
        (b"out", b'{"secret":true}'),
        (b"d", _nest_json(300)),
        (b"e", _nest_json(1_000)),
        (b"f", b'{"a": 1}'),
    ]
    rows = b"".join(b"%s\tt1\ti1\t%s\n" % each for each in sources)
    (tmp_path / "d.sql").write_bytes(head + rows + b"\\.\n" + DUMP_END)
    outcome = await run_import(database_url, tmp_path / "d.sql")
    assert outcome.rejection_lines == [
        f"data_sources, line 9 (d): config: {NOT_JSON}",
        "data_sources, line 10 (e): config: is nested too deeply",
    ]
    there = (await read_tables(database_url))["data_sources"]
    assert {row_id: row["config"] for row_id, row in there.items()} == {"out": {}, "f": {"a": 1}}
    (tmp_path / "d.sql").write_bytes(head + b'f\tt1\ti1\t{"secret":true}\n\\.\n' + DUMP_END)
    await run_import(database_url, tmp_path / "d.sql")
    assert (await read_tables(database_url))["data_sources"]["f"]["config"] == {"a": 1}


async def test_archive_open_error_of_the_caller_is_raised_unchanged(tmp_path: Path) -> None:
    archive = Archive(_write_archive(tmp_path, tenants__documents=TENANT % b"t1"))
    with pytest.raises(ValueError, match="ours"), archive.open("tenants/documents.jsonl"):
        raise ValueError("ours")
    archive.close()


def _run_and_measure_memory(url: str, *words: object) -> tuple[int, str, float]:
    """Run a command in a process of its own: its status, its output, and its peak memory in MiB."""
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(done.returncode, peak); print(done.stdout + done.stderr)"
    )
    command = [sys.executable, "-c", code, sys.executable, "server.py", *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, env={"DATABASE_URL": url, "PATH": ""}, capture_output=True, text=True, check=True
    )
    head, _, text = done.stdout.partition("\n")
    status, peak = map(int, head.split())
    return status, text, peak / (1 if sys.platform == "darwin" else 1024)


MEMORY_MAX_MIB: Final = 300


def test_import_line_of_2_gb_is_a_rejected_row(database_url: str, tmp_path: Path) -> None:
    """The file is sparse, but the bytes that are read from it are not."""
    path = tmp_path / "dump.sql"
    with path.open("wb") as file:
        file.write(b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\nt2\t")
        file.seek(2 << 30, 1)
        file.write(b"\nt3\tthree\n\\.\n" + DUMP_END)
    status, text, peak = _run_and_measure_memory(database_url, "import", "supabase", path)
    assert status == 3, text
    assert f"tenants, line 3: must have at most {IMPORT_LINE_BYTES_MAX:,} bytes" in text
    assert "tenants                              3          2          0          0          1" in text
    assert peak < MEMORY_MAX_MIB


INSIDE: Final = {
    "lists": b"[],", "objects": b"{},", "objects in objects": b'{"":{}},', "numbers": b"1.5,", "texts": b'"ab",',
}  # fmt: skip


def _make_widest_line(head: bytes, inside: bytes, tail: bytes, most: int = IMPORT_LINE_BYTES_MAX) -> bytes:
    """A line of the maximum number of bytes."""
    room = most - len(head) - len(tail)
    return head + inside * (room // len(inside)) + tail + b"\n"


@pytest.mark.parametrize(
    ("encoding", "inside"),
    [
        *(pytest.param("newer", inside, id=f"newer, {name}") for name, inside in INSIDE.items()),
        ("older", INSIDE["objects in objects"]),
        ("older, with the widest hint", INSIDE["objects in objects"]),
    ],
)
def test_import_widest_accepted_row_needs_little_memory(
    database_url: str, tmp_path: Path, encoding: str, inside: bytes
) -> None:
    row = _make_widest_line(b'{"_id":"t","_creationTime":1.0,"name":"T","metadata":{"a":[', inside, b"0]}}")
    hint = (
        _make_widest_line(b'{"t":{"metadata":{"b":[', inside, b"0]}}}", IMPORT_HINT_BYTES_MAX)
        if "hint" in encoding
        else b""
    )
    schema = b'"uniform"\n' if encoding == "newer" else b'"{\\"metadata\\": unknown}"\n' + hint
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("tenants/documents.jsonl", row)
        archive.writestr("tenants/generated_schema.jsonl", schema)
    status, text, peak = _run_and_measure_memory(database_url, "import", "convex", path)
    assert status == 0, text
    assert "tenants                              1          1          0          0          0" in text
    assert peak < MEMORY_MAX_MIB


def test_import_widest_accepted_config_needs_little_memory(database_url: str, tmp_path: Path) -> None:
    head = (
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"
        b"COPY public.integrations (id, name, description, category) FROM stdin;\ni1\tI\tD\tpsa\n\\.\n"
        b"COPY public.data_sources (id, tenant_id, integration_id, config) FROM stdin;\n"
    )
    path = tmp_path / "d.sql"
    path.write_bytes(
        head
        + _make_widest_line(b'd\tt1\ti1\t{"a":[', INSIDE["objects in objects"], b"0]}")
        + b"\\.\n"
        + DUMP_END
    )
    status, text, peak = _run_and_measure_memory(database_url, "import", "supabase", path)
    assert status == 0, text
    assert "data_sources                         1          1          0          0          0" in text
    assert peak < MEMORY_MAX_MIB


def test_import_400_mb_of_rows_needs_little_memory(database_url: str, tmp_path: Path) -> None:
    """400 MB of calls with bodies, the kind of table that keeps growing."""
    row = (
        '{{"_id":"log{0}","_creationTime":1760000000000.5,"url":"https://psa.example/{0}","method":"GET",'
        '"expiresAt":1760000000000.0,"headers":{{"n":{0}.0}},"responseBody":"{1}"}}\n'
    )
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("api_logs/generated_schema.jsonl", b'"uniform"\n')
        with archive.open("api_logs/documents.jsonl", "w", force_zip64=True) as out:
            for number in range(25_000):
                out.write(row.format(number, f"{number:08x}" * 2_000).encode())
        assert archive.getinfo("api_logs/documents.jsonl").file_size > 400_000_000
    status, text, peak = _run_and_measure_memory(database_url, "import", "convex", path)
    assert status == 0, text
    assert "api_logs                        25,000     25,000          0          0          0" in text
    assert peak < MEMORY_MAX_MIB
