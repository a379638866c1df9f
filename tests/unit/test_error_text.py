"""The message for an error of the database contains no value of a row."""

import io
import logging

import asyncpg
import pytest
import structlog

from core.error_text import format_error_line, remove_values
from core.logging import configure_logging

PLANTED = "planted-7f3a"


def _build_check_violation() -> asyncpg.PostgresError:
    error = asyncpg.CheckViolationError(
        'new row for relation "agents" violates check constraint "agents_guid"'
    )
    error.detail = f"Failing row contains ({PLANTED}\nsecond line {PLANTED})."
    return error


def _build_data_exception() -> asyncpg.PostgresError:
    return asyncpg.InvalidTextRepresentationError(f'invalid input syntax for type bigint: "{PLANTED}"')


def test_format_error_line_of_constraint_names_it_without_the_row() -> None:
    assert "agents_guid" in format_error_line(_build_check_violation())
    assert PLANTED not in format_error_line(_build_check_violation())


@pytest.mark.parametrize("wrap", [lambda e: e, RuntimeError])
def test_format_error_line_of_data_exception_has_no_value(wrap: type) -> None:
    said = format_error_line(wrap(_build_data_exception()))
    assert PLANTED not in said
    assert "22P02" in said


@pytest.mark.parametrize("make", [_build_check_violation, _build_data_exception])
@pytest.mark.parametrize("through", ["structlog", "logging", "group"])
def test_logged_traceback_has_no_value(
    make: object, through: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    configure_logging(stream)
    try:
        try:
            try:
                raise make()  # type: ignore[operator]
            except asyncpg.PostgresError as error:
                cause = ExceptionGroup("several", [error]) if through == "group" else error
                raise RuntimeError("the outer one") from cause
        except RuntimeError:
            if through == "logging":
                logging.getLogger("theirs").exception("failed")
            else:
                structlog.get_logger("ours").exception("failed")
    finally:
        structlog.reset_defaults()
    assert "the outer one" in stream.getvalue()
    assert PLANTED not in stream.getvalue() + capsys.readouterr().err


def test_remove_values_of_wrapping_error_redacts_the_wrapped_one() -> None:
    inner = _build_check_violation()
    outer = RuntimeError(inner)
    remove_values(outer)
    assert PLANTED not in str(outer)
