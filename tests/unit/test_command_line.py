"""The command line, and the settings that it makes with the environment."""

from pathlib import Path

import pytest

from commands.command_line import parsed, settings_from
from core.errors import StartupError
from core.limits import ISSUED_TOKEN_LIFETIME_S


def test_the_command_line_stands_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("HOST", "::1")
    settings = settings_from(parsed(["--port", "9001", "--data-dir", "elsewhere", "--demo"]))
    assert (settings.host, settings.port, settings.demo) == ("::1", 9001, True)
    assert settings.data_dir == Path("elsewhere")


def test_nothing_said_is_the_default() -> None:
    arguments = parsed([])
    assert arguments.command is None
    settings = settings_from(arguments)
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, False)


@pytest.mark.parametrize("words", [["--data-dir", "x", "migrate"], ["migrate", "--data-dir", "x"]])
def test_the_data_directory_stands_before_the_command_or_after(words: list[str]) -> None:
    arguments = parsed(words)
    assert arguments.command == "migrate"
    assert settings_from(arguments).data_dir == Path("x")


def test_a_token_for_a_user() -> None:
    arguments = parsed(["token", "user_1"])
    assert (arguments.user_id, arguments.lifetime_s) == ("user_1", ISSUED_TOKEN_LIFETIME_S)


def test_a_token_for_the_platform() -> None:
    arguments = parsed(["token", "--platform", "--expires-in", "60"])
    assert (arguments.user_id, arguments.lifetime_s) == (None, 60)


def test_a_fleet() -> None:
    words = "simulate --agents 60000 --interval 0.5 --drop 0.1 --enrollment-token a --enrollment-token b"
    arguments = parsed(words.split())
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
def test_a_bad_command_line_shows_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_lists_have_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_AUDIENCES", "one, two,")
    assert settings_from(parsed([])).oidc_audiences == ("one", "two")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert settings_from(parsed([])).database_url is None


def test_a_bad_value_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUEST_ROLE", 'hunter2"; DROP')
    with pytest.raises(StartupError, match=r"^REQUEST_ROLE: ") as caught:
        settings_from(parsed([]))
    assert "hunter2" not in str(caught.value)


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://msp:hunter2@db/msp")
    monkeypatch.setenv("SIGNING_KEY", "hunter2")
    assert "hunter2" not in repr(settings_from(parsed([])))
