"""Files that are broken, or made to break us: a clear message and an unchanged database, or the rows as reported."""

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
from services.imports.importing import Origin, import_data, opened_source
from services.imports.loading import Wishes
from tests.e2e.servers import ROOT
from tests.exports.convex import write_snapshot
from tests.exports.supabase import write_dump
from tests.exports.world import without_secrets, world
from tests.importing import contents, expected, imported

pytestmark = pytest.mark.newest

ROWS: Final = without_secrets(world())
TENANT: Final = b'{"_id":"%s","_creationTime":1.0,"name":"T","status":"active"}\n'


def _archive(path: Path, **members: bytes) -> Path:
    """A ZIP file; double underscores in names are slashes, and all end with .jsonl."""
    with zipfile.ZipFile(path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_tables/documents.jsonl", b"")
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".jsonl", content)
    return path / "a.zip"


def _cut_off(path: Path) -> Path:
    whole = write_snapshot(path / "a.zip", ROWS).read_bytes()
    (path / "a.zip").write_bytes(whole[: len(whole) // 2])
    return path / "a.zip"


def _corrupt_directory(path: Path) -> Path:
    whole = bytearray(write_snapshot(path / "a.zip", ROWS).read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[at : at + 400] = bytes(400)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _bomb(path: Path) -> Path:
    return _archive(path, tenants__documents=b" " * (100 << 20))


def _overlapping(path: Path) -> Path:
    """Two members that say that their bytes are the same, as in ZIP bombs of the better kind."""
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


def _twice(path: Path) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        archive.writestr("tenants/documents.jsonl", TENANT % b"t1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("tenants/documents.jsonl", TENANT % b"t2")
    return path / "a.zip"


def _huge_directory(path: Path) -> Path:
    whole = bytearray(_archive(path, tenants__documents=TENANT % b"t1").read_bytes())
    struct.pack_into("<I", whole, whole.rindex(b"PK\x05\x06") + 12, 200 << 20)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _encrypted(path: Path) -> Path:
    whole = bytearray(_archive(path, tenants__documents=TENANT % b"t1").read_bytes())
    for at in (whole.rindex(b"PK\x01\x02") + 8, whole.rindex(b"PK\x03\x04") + 6):
        struct.pack_into("<H", whole, at, 1)
    (path / "a.zip").write_bytes(whole)
    return path / "a.zip"


def _file(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        (path / name).write_bytes(content)
        return path if name.endswith(".csv") else path / name

    return write


def _cut_off_dump(path: Path) -> Path:
    dump = write_dump(path / "dump.sql", ROWS)
    dump.write_bytes(dump.read_bytes()[:60_000])
    return dump


def _without_tables(path: Path) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    return path / "a.zip"


REFUSED: Final[dict[str, tuple[Callable[[Path], Path], str]]] = {
    "cut off": (_cut_off, "is not a ZIP file, or is cut off"),
    "no directory": (_corrupt_directory, "is not a ZIP file, or is cut off"),
    "no zip": (_file("a.zip", b"hello"), "is not a ZIP file, or is cut off: its end is missing"),
    "nothing": (_file("a.zip", b""), "is not a ZIP file"),
    "another zip": (_without_tables, "no Convex snapshot: _tables/documents.jsonl is missing"),
    "bomb": (_bomb, r"it would unpack to 104,857,600 bytes, \d+ times its size"),
    "overlapping bomb": (_overlapping, "its members overlap, as those of ZIP bombs do"),
    "a huge directory": (_huge_directory, "its list of members has 209,715,200 bytes"),
    "a table twice": (_twice, "has tenants/documents.jsonl 2 times: which one counts?"),
    "encrypted": (_encrypted, "tenants/documents.jsonl is encrypted"),
    "dump cut off": (_cut_off_dump, r"is cut off: the rows of \w+, from line \d+, do not end"),
    "dump of another format": (_file("d.sql", b"PGDMP\1\2"), "pg_restore --file=dump.sql"),
    "dump with inserts": (
        _file("d.sql", b"INSERT INTO public.sites VALUES (1);\n"),
        "has no COPY of a table in public",
    ),
    "compressed dump": (_file("d.sql", b"\x1f\x8b\x08"), "is compressed: unpack it with gunzip"),
    "no such file": (lambda path: path / "none.zip", "is not there"),
    "no csv": (_file("readme.csv", b"a,b\n"), "has no CSV file of a table"),
    "csv without header": (_file("tenants.csv", b""), "is empty: its first line must name the columns"),
    "csv without id": (_file("tenants.csv", b"name\nT\n"), "has no column `id`"),
    "csv with a column twice": (
        _file("tenants.csv", b"id,name,name\n1,2,3\n"),
        "has the column 'name' twice",
    ),
    "csv without a needed column": (_file("tenants.csv", b"id\nt1\n"), "has no column `name`"),
    "csv of roles without tenants": (
        _file("roles.csv", b"id,name,description\nr1,R,D\n"),
        "roles has no column `tenant_id`",
    ),
    "csv of changes without tenants": (
        _file("audit_log.csv", b"id,table_name,record_id,action\n1,sites,2,create\n"),
        "audit_log has no column `tenant_id`",
    ),
    "csv cut off": (
        _file("tenants.csv", b'id,name\nt1,A\nt2,"B\nt3,C\n'),
        "tenants.csv, line 3: unexpected end of data",
    ),
    "csv with a stray quote": (_file("tenants.csv", b'id,name\nt1,"A"x\n'), "tenants.csv, line 2: "),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
async def test_a_file_that_cannot_be_used(
    database_url: str, tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    before = await contents(database_url)
    with pytest.raises(FileRefusedError, match=message) as caught:
        await imported(database_url, make(tmp_path))
    assert "\n" not in str(caught.value)
    assert await contents(database_url) == before


async def test_what_was_rejected_before_a_file_breaks_off_is_told(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\nt2\t\\N\n\\.\n"
        b"COPY public.sites (id, id) FROM stdin;\n\\.\n"
    )
    output = io.StringIO()
    source = opened_source(Origin.SUPABASE, path)
    with pytest.raises(FileRefusedError, match="sites has the column 'id' twice"):
        await import_data(database_url, Settings(), source, Wishes(), output, SecretKeys())
    source.close()
    told = output.getvalue().split("\n")
    assert told[:2] == ["tenants, line 3 (t2): name: is missing", "Imported before it broke off: tenants"]
    assert told[3].split() == ["tenants", "2", "1", "0", "0", "1"]
    assert list((await contents(database_url))["tenants"]) == ["t1"]


async def test_a_member_that_breaks_off_leaves_its_table_alone(database_url: str, tmp_path: Path) -> None:
    """The tables before it are in, as is said; the table itself is not, nor are those behind it."""
    path = write_snapshot(tmp_path / "a.zip", ROWS)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("agents/documents.jsonl")
    whole = bytearray(path.read_bytes())
    middle = member.header_offset + 60 + member.compress_size // 2
    whole[middle : middle + 40] = bytes(40)
    path.write_bytes(whole)
    with pytest.raises(FileRefusedError, match=r"agents/documents\.jsonl in .* is broken or cut off"):
        await imported(database_url, path)
    there = await contents(database_url)
    assert {table for table, rows in there.items() if rows} == {
        "tenants", "integrations", "roles", "users", "sites", "data_sources", "data_source_to_site",
    }  # fmt: skip
    with pytest.raises(FileRefusedError):
        await imported(database_url, path, strict=True)
    assert await contents(database_url) == there


async def test_names_are_no_paths(database_url: str, tmp_path: Path) -> None:
    evil = {
        "../tenants/documents.jsonl": TENANT % b"outside",
        "/tenants/documents.jsonl": TENANT % b"root",
        "tenants/../tenants/documents.jsonl": TENANT % b"around",
        "tenants\\documents.jsonl": TENANT % b"windows",
        "_components/x/tenants/documents.jsonl": TENANT % b"component",
        "e\x1b[31mvil/documents.jsonl": b"",
    }
    outcome = await imported(database_url, write_snapshot(tmp_path / "a.zip", ROWS, more=evil))
    assert outcome.report.rejected == 0
    assert await contents(database_url) == expected(ROWS)
    assert "\x1b" not in outcome.text
    assert os.listdir(tmp_path) == ["a.zip"]  # noqa: PTH208 - pathlib's way is not for coroutines, says the linter


BAD_LINES: Final = {
    b"{": "is not JSON: ",
    b"[1]": "is not an object",
    b"null": "is not an object",
    b'{"name":"T"}': "has no _id",
    b'{"_id":7}': "has no _id",
    b'{"_id":"","_creationTime":1.0,"name":"T"}': "the id is empty",
    b'{"_id":"t","_creationTime":1.0,"name":"\xff"}': "is not JSON: ",
    b'{"_id":"t","_creationTime":1.0,"name":"\\ud800"}': "is not JSON: ",
    b'{"_id":"t","_creationTime":1.0,"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}": "is not JSON: ",
    b'{"_id":"t","_creationTime":{"$float":"AAAAAAAA+H8="},"name":"T"}': "createdAt: is not a number",
    b'{"_id":"t","_creationTime":1e300,"name":"T"}': "createdAt: is not a moment",
    b'{"_id":"t","name":"T"}': "createdAt: is missing",
    b'{"_id":"t","_creationTime":1.0,"name":"T","metadata":{"a":"\\u0000"}}': "metadata: has a NUL character",
    b'{"_id":"a\\u001b[2Jb","_creationTime":1.0}': "name: is missing",
    b'{"_id":"' + b"x" * 700 + b'","_creationTime":1.0,"name":"T"}': "id: has more than 600 bytes",
}


async def test_lines_that_hold_no_row_are_named(database_url: str, tmp_path: Path) -> None:
    lines = b"".join(line + b"\n" for line in BAD_LINES)
    content = TENANT % b"t1" + b"\n" + lines + (TENANT % b"t2").rstrip()
    outcome = await imported(database_url, _archive(tmp_path, tenants__documents=content))
    assert sorted((await contents(database_url))["tenants"]) == ["t1", "t2"]
    said = dict(line.removeprefix("tenants, line ").split(": ", 1) for line in outcome.rejections)
    by_number = {int(number.split(" ")[0]): reason for number, reason in said.items()}
    for number, reason in enumerate(BAD_LINES.values(), 3):
        assert by_number.pop(number).startswith(reason)
    assert not by_number
    assert "\x1b" not in outcome.text


async def test_lines_of_a_dump_that_hold_no_row_are_named(database_url: str, tmp_path: Path) -> None:
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
    path.write_bytes(b"COPY public.tenants (id, name) FROM stdin;\n" + b"\n".join(lines) + b"\n\\.\n")
    outcome = await imported(database_url, path)
    there = (await contents(database_url))["tenants"]
    assert {row_id: row["name"] for row_id, row in there.items()} == {
        "t1": "one",
        "t7": "se\tven",
        "t9": "nine",
    }
    assert outcome.rejections == [
        "tenants, line 3: has 1 fields, where the header has 2",
        "tenants, line 4: has 3 fields, where the header has 2",
        "tenants, line 5: is not valid UTF-8",
        "tenants, line 6 (t5): name: is missing",
        "tenants, line 7: id: is missing",
        "tenants, line 9: has 1 fields, where the header has 2",
    ]


async def test_rows_of_a_csv_file_that_cannot_be_taken_are_named(database_url: str, tmp_path: Path) -> None:
    content = (
        '\ufeffid,name\r\nt1,"one\nand ""more"""\r\nt2\r\n\r\n,nobody\r\nt5,fünf'.encode()
        + b"\nt6,\xff\nt7,seven"
    )
    (tmp_path / "tenants.csv").write_bytes(content)
    outcome = await imported(database_url, tmp_path)
    there = (await contents(database_url))["tenants"]
    assert {i: row["name"] for i, row in there.items()} == {
        "t1": 'one\nand "more"',
        "t5": "fünf",
        "t7": "seven",
    }
    assert outcome.rejections == [
        "tenants, line 4: has 1 fields, where the header has 2",
        "tenants, line 6: id: is missing",
        "tenants, line 8: is not valid UTF-8",
    ]


def _nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("schema", [b'"uniform"', b'"{\\"metadata\\": unknown}"'], ids=["newer", "older"])
async def test_an_id_or_a_nesting_that_cannot_be_held_is_a_rejected_row(
    database_url: str, tmp_path: Path, schema: bytes
) -> None:
    rows = [
        b'{"_id":"n\\u0000l","_creationTime":1.0,"name":"T"}\n',
        *(
            b'{"_id":"d%d","_creationTime":1.0,"name":"T","metadata":%s}\n' % (levels, _nested(levels))
            for levels in (300, 500, 1_000)
        ),
        TENANT % b"t1",
    ]
    path = _archive(tmp_path, tenants__documents=b"".join(rows), tenants__generated_schema=schema)
    outcome = await imported(database_url, path)
    assert list((await contents(database_url))["tenants"]) == ["t1"]
    assert (
        outcome.rejections[0]
        == "tenants, line 1 (n\\x00l): id: has a NUL character, which PostgreSQL cannot hold"
    )
    assert [line.partition(": ")[0] for line in outcome.rejections[1:]] == [
        "tenants, line 2 (d300)", "tenants, line 3 (d500)", "tenants, line 4 (d1000)",
    ]  # fmt: skip


async def test_an_id_with_a_nul_in_a_dump_is_a_rejected_row(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "d.sql").write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\na\\000b\tone\nt2\ttwo\n\\.\n"
    )
    outcome = await imported(database_url, tmp_path / "d.sql")
    assert outcome.rejections[0].startswith("tenants, line 2 (a\\x00b): id: has a NUL character")
    assert list((await contents(database_url))["tenants"]) == ["t2"]


ROLE: Final = b"COPY public.roles (id, tenant_id, name, description) FROM stdin;\nr1\tt1\tR\tD\n\\.\n"


async def test_metadata_without_room_for_one_level_more_is_a_rejected_row(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "d.sql").write_bytes(
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n" + ROLE
        + b"COPY public.users (id, tenant_id, role_id, email, name, status, metadata) FROM stdin;\n"
        b"u1\tt1\tr1\ta@example.com\tA\tinvited\t%s\nu2\tt1\tr1\tb@example.com\tB\tinvited\t{}\n\\.\n"
        % _nested(300)
    )  # fmt: skip
    outcome = await imported(database_url, tmp_path / "d.sql")
    assert outcome.rejections == ["users, line 8 (u1): metadata: is not JSON that can be stored"]
    assert list((await contents(database_url))["users"]) == ["u2"]


async def test_configs_that_cannot_be_covered_are_rejected_rows(database_url: str, tmp_path: Path) -> None:
    """One that is nothing but a secret is refused nowhere: it leaves what stands here."""
    head = (
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"
        b"COPY public.integrations (id, name, description, category) FROM stdin;\ni1\tI\tD\tpsa\n\\.\n"
        b"COPY public.data_sources (id, tenant_id, integration_id, config) FROM stdin;\n"
    )
    sources = [
        (b"out", b'{"secret":true}'),
        (b"d", _nested(300)),
        (b"e", _nested(1_000)),
        (b"f", b'{"a": 1}'),
    ]
    rows = b"".join(b"%s\tt1\ti1\t%s\n" % each for each in sources)
    (tmp_path / "d.sql").write_bytes(head + rows + b"\\.\n")
    outcome = await imported(database_url, tmp_path / "d.sql")
    assert outcome.rejections == [
        "data_sources, line 9 (d): config: is not JSON that can be stored",
        "data_sources, line 10 (e): config: nests too deeply",
    ]
    there = (await contents(database_url))["data_sources"]
    assert {row_id: row["config"] for row_id, row in there.items()} == {"out": {}, "f": {"a": 1}}
    (tmp_path / "d.sql").write_bytes(head + b'f\tt1\ti1\t{"secret":true}\n\\.\n')
    await imported(database_url, tmp_path / "d.sql")
    assert (await contents(database_url))["data_sources"]["f"]["config"] == {"a": 1}


async def test_what_goes_wrong_beside_an_archive_is_not_the_archive_s_fault(tmp_path: Path) -> None:
    archive = Archive(_archive(tmp_path, tenants__documents=TENANT % b"t1"))
    with pytest.raises(ValueError, match="ours"), archive.open("tenants/documents.jsonl"):
        raise ValueError("ours")
    archive.close()


def _measured(url: str, *words: object) -> tuple[int, str, float]:
    """A command in a process of its own: its status, what it has said, and its peak in MiB."""
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


def test_a_line_of_2_gb_is_a_rejected_row(database_url: str, tmp_path: Path) -> None:
    """The file is sparse; what is read of it is not."""
    path = tmp_path / "dump.sql"
    with path.open("wb") as file:
        file.write(b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\nt2\t")
        file.seek(2 << 30, 1)
        file.write(b"\nt3\tthree\n\\.\n")
    status, text, peak = _measured(database_url, "import", "supabase", path)
    assert status == 0, text
    assert f"tenants, line 3: has more than {IMPORT_LINE_BYTES_MAX:,} bytes" in text
    assert "tenants                              3          2          0          0          1" in text
    assert peak < MEMORY_MAX_MIB


INSIDE: Final = {
    "lists": b"[],", "objects": b"{},", "objects in objects": b'{"":{}},', "numbers": b"1.5,", "texts": b'"ab",',
}  # fmt: skip


def _wide(head: bytes, inside: bytes, tail: bytes, most: int = IMPORT_LINE_BYTES_MAX) -> bytes:
    """A line of as many bytes as one may have."""
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
def test_the_widest_row_that_is_taken_needs_little_memory(
    database_url: str, tmp_path: Path, encoding: str, inside: bytes
) -> None:
    row = _wide(b'{"_id":"t","_creationTime":1.0,"name":"T","metadata":{"a":[', inside, b"0]}}")
    hint = (
        _wide(b'{"t":{"metadata":{"b":[', inside, b"0]}}}", IMPORT_HINT_BYTES_MAX)
        if "hint" in encoding
        else b""
    )
    schema = b'"uniform"\n' if encoding == "newer" else b'"{\\"metadata\\": unknown}"\n' + hint
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("tenants/documents.jsonl", row)
        archive.writestr("tenants/generated_schema.jsonl", schema)
    status, text, peak = _measured(database_url, "import", "convex", path)
    assert status == 0, text
    assert "tenants                              1          1          0          0          0" in text
    assert peak < MEMORY_MAX_MIB


def test_the_widest_config_that_is_taken_needs_little_memory(database_url: str, tmp_path: Path) -> None:
    head = (
        b"COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"
        b"COPY public.integrations (id, name, description, category) FROM stdin;\ni1\tI\tD\tpsa\n\\.\n"
        b"COPY public.data_sources (id, tenant_id, integration_id, config) FROM stdin;\n"
    )
    path = tmp_path / "d.sql"
    path.write_bytes(head + _wide(b'd\tt1\ti1\t{"a":[', INSIDE["objects in objects"], b"0]}") + b"\\.\n")
    status, text, peak = _measured(database_url, "import", "supabase", path)
    assert status == 0, text
    assert "data_sources                         1          1          0          0          0" in text
    assert peak < MEMORY_MAX_MIB


def test_many_rows_need_little_memory(database_url: str, tmp_path: Path) -> None:
    """400 MB of calls with bodies, the kind of table that grows without end."""
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
    status, text, peak = _measured(database_url, "import", "convex", path)
    assert status == 0, text
    assert "api_logs                        25,000     25,000          0          0          0" in text
    assert peak < MEMORY_MAX_MIB
