"""docs/limits.md against core/limits.py: every limit that a client can meet, with its value."""

import re
from pathlib import Path
from typing import Final

from core import limits
from core.errors import ProductError

PAGE: Final = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
ALL: Final = {name: value for name, value in vars(limits).items() if name.isupper()}

OPERATORS: Final = re.compile(
    "TOKEN_LEEWAY_S|TOKEN_MEMO_.*|SUBJECT_MAX_CHARS|RSA_.*|JWKS_.*|ISSUED_TOKEN_LIFETIME_S|MIGRATION_.*|"
    "DOCUMENTS_KEPT.*|PLANS?_KEPT_CHARS|COMPRESSED_FROM_BYTES|OPERATION_NAMES?_.*|DEPARTURE_PATIENCE_S|"
    "VIEWERS_REMEMBERED|HEALTH_DOWN_AFTER|AGENT_TOKEN_MEMO_.*|AGENT_LOGS_.*|CHECK_IN_GATHER_S|CHECK_INS_AT_ONCE|"
    "SILEN.*|TURNS_KNOWN|WRITE_PAUSE_S|CLEAN_UP_.*|SECRETS_AT_ONCE|"
    "CLOCK_.*|LOG_KEPT_S|DELTA_CHANGES_MAX|TURNED_ROWS_MAX|STREAM_WAITING_MAX|STREAM_RUNS_AT_ONCE|STREAM_RETRY_S|LIVE_.*|"
    "IMPORT_.*|EXPORT_.*"
)
"""Limits that no request is refused for: caches, logs, and what stands between the server and others."""


def _named(text: str) -> list[str]:
    codes = {error.code for error in ProductError.__subclasses__()}
    return [name for name in re.findall(r"`([A-Z_]+)`", text) if name not in codes]


def test_every_limit_that_a_client_can_meet_is_told() -> None:
    assert {name for name in ALL if not OPERATORS.fullmatch(name)} == set(_named(PAGE))


def test_the_values_are_right() -> None:
    for line in PAGE.split("\n"):
        for name in _named(line):
            value = f"{ALL[name]:,.15g}"
            assert re.search(rf"(?<![\d,]){value}(?!,?\d)", line), f"{name} is {value}: {line}"


def test_the_examples_are_right() -> None:
    assert re.findall(r'"allowed": (\d+)', PAGE) == [str(limits.COST_MAX)] * 2


def test_every_limit_says_why() -> None:
    source = Path(limits.__file__).read_text()
    assert re.findall(r'^([A-Z_]+): Final = .*\n"""[^"]{20,}', source, re.MULTILINE) == list(ALL)
