"""The scanner of SQL scripts: what looks like a statement in a quote, a function body or a comment is none."""

import random
from pathlib import Path
from typing import Final

import pytest

from core.errors import FileRefusedError
from core.limits import IMPORT_LINE_BYTES_MAX
from services.imports.pg_dump import PgDump
from services.imports.sql_scanner import SqlScanner
from tests.counted_work import count_steps, fail_if_hung
from tests.exports.supabase import DUMP_END

COPY: Final = "COPY public.tenants (id, name) FROM stdin;\nt1\tone\n\\.\n"
HIDING: Final[dict[str, str]] = {
    "dollar quote": "CREATE FUNCTION f() RETURNS void AS $$\n{}$$ LANGUAGE sql;\n",
    "tagged dollar quote": "CREATE FUNCTION f() RETURNS void AS $body$\n$$\n{}$$\n$body$ LANGUAGE sql;\n",
    "dollar quote in a dollar quote": "DO $a$ BEGIN EXECUTE $b$\n{}$b$; END $a$;\n",
    "tag with other letters": "DO $\u00fcx_1$\n{}$\u00fcx_1$;\n",
    "dollar quote with quotes in it": 'DO $$ it\'s "odd" /* -- \n{}$$;\n',
    "quote": "SELECT '\n{}';\n",
    "doubled quote": "SELECT 'it''s\n{}''';\n",
    "backslash in a plain quote": "SELECT 'a\\';\nSELECT '\n{}';\n",
    "escape quote": "SELECT E'it\\'s\n{}\\\\';\n",
    "escape quote with a doubled one": "SELECT e'a''\\'\n{}';\n",
    "escape quote continued": "SELECT E'a'\n  '\\'; \n{}';\n",
    "escape quote continued twice behind a comment": "SELECT E'a' -- it's\n'b'\n\n'\\'; \n{}';\n",
    "plain quote behind an escape quote": "SELECT E'a', '\\', '\n{}';\n",
    "plain quote in a later statement": "SELECT E'a';\nSELECT '\\', '\n{}';\n",
    "E at the end of a name": "SELECT type'a\\', '\n{}';\n",
    "bytes quote": "SELECT b'1', U&'\n{}';\n",
    "name": 'CREATE TABLE "a""\n{}" (id text);\n',
    "comment": "/*\n{}*/\n",
    "nested comment": "/* /* \n*/\n{}*/\n",
    "comment with quotes in it": "/* it's $$ \" -- \n{}*/\n",
    "comment behind a statement": "SELECT 1; /*\n{}*/\n",
    "statement": "SELECT 1\n{};\n",
    "escapes by setting": "SET standard_conforming_strings = off;\nSELECT 'a\\'\n{}';\n",
}
PLAIN: Final[dict[str, str]] = {
    "line comments": "-- it's $$ /* \"\n",
    "statements": "SET a = 'b';\nSELECT pg_catalog.set_config('search_path', '', false);\n",
    "dollar in a name": "SELECT a$$b FROM c$d$e;\n",
    "parameter": "PREPARE p AS SELECT $1, $2;\n",
    "commands of psql": "\\restrict it's$$\n\\connect a\n",
    "closed things": "SELECT $$a$$, $x$ $$ $x$, 'a', E'\\'', \"a\"\"\"; /* /* */ */ -- '\n",
    "escapes switched off again": "SET standard_conforming_strings = off;\nSELECT 'a\\'';\n"
    "SET standard_conforming_strings = on;\nSELECT 'a\\';\n",
    "carriage returns": "SET a = 'b';\r\n-- x\r\n",
    "two statements in a line": "SELECT 1; SELECT 2;\n",
    "a line longer than may be held": f"SELECT '{'x' * (IMPORT_LINE_BYTES_MAX + 9)}''{'y' * 70}';\n",
}


def _write_dump(path: Path, text: str) -> PgDump:
    (path / "dump.sql").write_bytes(text.encode() + DUMP_END)
    return PgDump(path / "dump.sql")


@pytest.mark.parametrize("script", HIDING.values(), ids=HIDING)
def test_pg_dump_with_copy_inside_quotes_ignores_its_rows(tmp_path: Path, script: str) -> None:
    hidden = script.replace("{}", COPY)
    with pytest.raises(FileRefusedError, match="has no COPY of a table in public"):
        _write_dump(tmp_path, hidden)
    real = "COPY public.sites (id) FROM stdin;\ns1\n\\.\n"
    dump = _write_dump(tmp_path, f"{hidden}\n{real}")
    assert dump.sizes == {"sites": 3}
    dump.close()


@pytest.mark.parametrize("script", [*HIDING.values(), *PLAIN.values()], ids=[*HIDING, *PLAIN])
def test_pg_dump_with_copy_behind_other_statements_reads_its_rows(tmp_path: Path, script: str) -> None:
    dump = _write_dump(tmp_path, script.replace("{}", "SELECT 1\n") + COPY)
    assert dump.sizes == {"tenants": len("t1\tone\n")}
    dump.close()


def test_pg_dump_with_quotes_in_rows_reads_what_follows(tmp_path: Path) -> None:
    """Rows are no SQL, those of tables of others included, in any spelling of COPY."""
    rows = "it's\t$$\t/*\n--\t\"\n\\.\n"
    script = f"COPY auth.users (a, b, c) FROM stdin;\n{rows}copy x from STDIN ;\n{rows}{COPY}"
    dump = _write_dump(tmp_path, script)
    assert dump.sizes == {"tenants": 7}
    assert dump.skipped == ["auth.users", "COPY in a form that pg_dump does not write"]
    dump.close()


@pytest.mark.parametrize("opening", ["SELECT '", "DO $$", "/*", 'SELECT "', "SELECT E'\\'"])
def test_pg_dump_with_unterminated_quote_is_refused(tmp_path: Path, opening: str) -> None:
    with pytest.raises(FileRefusedError, match="a quote or comment that begins in line 4 does not end"):
        _write_dump(tmp_path, f"{COPY}{opening}\nmore\n")


def test_scanner_fed_in_random_pieces_has_the_same_state() -> None:
    rng = random.Random(3)  # noqa: S311
    tokens = ["'", "''", "\\", "E'", '"', "$$", "$a$", "--", "/*", "*/", ";", "\n", " ", "x", "$", "e"]
    for _ in range(2_000):
        text = "".join(rng.choices(tokens, k=rng.randint(1, 400))).encode() + b"\n"
        whole, cut = SqlScanner(), SqlScanner()
        whole.feed(text)
        at = 0
        while at < len(text):
            size = rng.randint(1, 170)
            cut.feed(text[at : at + size], is_whole=at + size >= len(text))
            at += size
        assert (whole.at_start, whole.is_open) == (cut.at_start, cut.is_open), text


@pytest.mark.parametrize("token", ["'", "$a$", "/*", "--", "E'\\'", "$", '"', "e", "a$", ";", "\\"])
def test_scanner_takes_linear_work(token: str) -> None:
    def scan(size: int) -> None:
        SqlScanner().feed(token.encode() * (size // len(token)))

    scan(100)  # compiles what the scanner keeps
    assert count_steps(lambda: scan(4_000)) < 2.1 * count_steps(lambda: scan(2_000))
    with fail_if_hung():  # a search from each token to the end takes minutes
        scan(500_000)
