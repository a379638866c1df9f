"""The command line, and the settings that it makes with the environment."""

from pathlib import Path
from typing import Any

import pytest

from commands.command_line import build_settings, choose_log_level, parse_command_line
from core.errors import StartupError
from core.limits import ISSUED_TOKEN_LIFETIME_S
from core.settings import Settings


def test_settings_from_command_line_override_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("HOST", "::1")
    settings = build_settings(parse_command_line(["--port", "9001", "--data-dir", "elsewhere", "--demo"]))
    assert (settings.host, settings.port, settings.demo) == ("::1", 9001, True)
    assert settings.data_dir == Path("elsewhere")


def test_settings_without_options_are_defaults() -> None:
    arguments = parse_command_line([])
    assert arguments.command is None
    settings = build_settings(arguments)
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, False)


@pytest.mark.parametrize("words", [["--data-dir", "x", "migrate"], ["migrate", "--data-dir", "x"]])
def test_parse_command_line_takes_data_dir_before_or_after_command(words: list[str]) -> None:
    arguments = parse_command_line(words)
    assert arguments.command == "migrate"
    assert build_settings(arguments).data_dir == Path("x")


def test_parse_command_line_token_takes_user_and_default_lifetime() -> None:
    arguments = parse_command_line(["token", "user_1"])
    assert (arguments.user_id, arguments.lifetime_s) == ("user_1", ISSUED_TOKEN_LIFETIME_S)


def test_parse_command_line_platform_token_takes_lifetime() -> None:
    arguments = parse_command_line(["token", "--platform", "--expires-in", "60"])
    assert (arguments.user_id, arguments.lifetime_s) == (None, 60)


@pytest.mark.parametrize(
    ("settings", "terminal", "level"),
    [
        ({"demo": True}, True, "warning"),
        ({"demo": True}, False, "info"),
        ({"demo": True, "log_level": "info"}, True, "info"),
        ({"demo": True, "log_level": "error"}, True, "error"),
        ({}, True, "info"),
        ({"log_level": "debug"}, False, "debug"),
    ],
)
def test_log_level_of_demo_on_terminal_is_warning_unless_set(
    settings: dict[str, Any], terminal: bool, level: str
) -> None:
    assert choose_log_level(Settings(**settings), terminal=terminal) == level


def test_parse_command_line_simulate_takes_its_options() -> None:
    words = "simulate --agents 60000 --interval 0.5 --drop 0.1 --enrollment-token a --enrollment-token b"
    arguments = parse_command_line(words.split())
    assert (arguments.agents, arguments.interval, arguments.drop) == (60_000, 0.5, 0.1)
    assert (arguments.enrollment_tokens, arguments.duration) == (["a", "b"], None)


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--agents", "0"],
        ["simulate", "--interval", "0"],
        ["simulate", "--interval", "nan"],
        ["simulate", "--drop", "1.1"],
        ["simulate", "--duration", "inf"],
        ["token"],
        ["token", "user_1", "--platform"],
        ["token", "user_1", "--expires-in", "0"],
        ["token", "user_1", "--expires-in", "soon"],
        ["dance"],
        ["--dance"],
    ],
)
def test_parse_command_line_invalid_prints_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_command_line(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_settings_list_in_environment_is_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_AUDIENCES", "one, two,")
    assert build_settings(parse_command_line([])).oidc_audiences == ("one", "two")


def test_settings_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert build_settings(parse_command_line([])).database_url is None


def test_settings_invalid_value_is_refused_by_name_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUEST_ROLE", 'hunter2"; DROP')
    with pytest.raises(StartupError, match=r"^REQUEST_ROLE: ") as caught:
        build_settings(parse_command_line([]))
    assert "hunter2" not in str(caught.value)


def test_settings_repr_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://msp:hunter2@db/msp")
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    assert "hunter2" not in repr(build_settings(parse_command_line([])))
