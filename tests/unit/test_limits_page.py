"""docs/limits.md against core/limits.py: every limit that a client can meet, with its value."""

import re
from pathlib import Path
from typing import Final

from core import limits
from core.errors import ProductError

PAGE: Final = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
ALL: Final = {name: value for name, value in vars(limits).items() if name.isupper()}

OPERATORS: Final = re.compile(
    "TOKEN_LEEWAY_S|TOKENS?_CACHE.*|SUBJECT_MAX_CHARS|RSA_.*|JWKS_.*|ISSUED_TOKEN_LIFETIME_S|MIGRATION_.*|"
    "DOCUMENTS_CACHED.*|PLANS?_CACHED_CHARS_MAX|COMPRESSED_FROM_BYTES|OPERATION_NAMES?_.*|CLIENT_DISCONNECT_DELAY_S|"
    "VIEWERS_CACHED_MAX|LITERAL_PRINTED_CHARS|HEALTH_DOWN_AFTER|AGENT_TOKENS?_CACHE.*|AGENT_LOGS_.*|CHECK_IN_BATCH_DELAY_S|CHECK_INS_BATCH_MAX|"
    "CPU_BUDGET_CALLERS|DOCUMENT_PAUSE(S|_FROM_S)|SHARES_REMEMBERED_MAX|OFFLINE_SWEEP_.*|EXPIRIES_CACHED_MAX|WRITE_PAUSE_S|DAILY_PURGE_.*|SECRETS_PER_BATCH|"
    "CLOCK_.*|CHANGE_LOG_RETENTION_S|DELTA_CHANGES_MAX|EXPIRED_ROWS_MAX|STREAM_PENDING_EVENTS_MAX|STREAM_READS_CONCURRENT_MAX|STREAM_RETRY_S|LIVE_.*|"
    "IMPORT_.*|EXPORT_.*|LONG_STATEMENT_S|DATABASE_.*|POOLER_.*|BACKUP_.*|(AGENT|READINESS)_CONNECTIONS|CREDENTIAL_KEPT_MS|SOCKET_SLICE_BYTES|TIME_AHEAD_MAX_MS|SHUTDOWN_.*|WORKER_.*|LOOP_LAG_INTERVAL_S|STATUS_INTERVAL_S|"
    "TABLE_STATISTICS_.*|AUDIT_STEP_BYTES|ACTIVITY_.*|CLERK_.*|LEGACY_POLL_S|LEGACY_KNOWN_MAX|ADOPTION_DAYS_MAX|JOB_.*"
)
"""Limits for which no request is refused: caches, logs, and those between the server and other systems."""


def _find_limit_names(text: str) -> list[str]:
    codes = {error.code for error in ProductError.__subclasses__()}
    return [name for name in re.findall(r"`([A-Z_]+)`", text) if name not in codes]


def test_limits_page_names_every_limit_a_client_can_meet() -> None:
    assert {name for name in ALL if not OPERATORS.fullmatch(name)} == set(_find_limit_names(PAGE))


def test_limits_page_values_equal_the_code() -> None:
    for line in PAGE.split("\n"):
        for name in _find_limit_names(line):
            value = f"{ALL[name]:,.15g}"
            assert re.search(rf"(?<![\d,]){value}(?!,?\d)", line), f"{name} is {value}: {line}"


def test_limits_page_examples_equal_the_code() -> None:
    assert re.findall(r'"allowed": (\d+)', PAGE) == [str(limits.COST_MAX)] * 2


def test_limits_module_documents_every_limit() -> None:
    source = Path(limits.__file__).read_text()
    assert re.findall(r'^([A-Z_]+): Final = .*\n"""[^"]{20,}', source, re.MULTILINE) == list(ALL)
