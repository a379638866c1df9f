"""Variables that look like a misspelled setting."""

import pytest

from core.setting_names import find_near_names
from core.settings import Settings


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("OIDC_AUTHORISED_PARTIES", "OIDC_AUTHORIZED_PARTIES"),
        ("OIDC_AUDIENCE", "OIDC_AUDIENCES"),
        ("SECRET_KEY", "SECRET_KEYS"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("databaseurl", "DATABASE_URL"),
        ("DATABASE_DIRECT_URI", "DATABASE_DIRECT_URL"),
    ],
)
def test_near_name_of_misspelled_setting_is_found(variable: str, near: str) -> None:
    assert find_near_names([variable]) == {variable: near}


@pytest.mark.parametrize(
    "variable",
    [
        "PATH",
        "HOSTNAME",
        "PORTS",
        "PGHOST",
        "OIDC_CLIENT_ID",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "SSH_AGENT_PID",
    ],
)
def test_near_name_of_foreign_variable_is_not_there(variable: str) -> None:
    assert find_near_names([variable]) == {}


@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_near_name_of_a_setting_itself_is_not_there(change: object) -> None:
    assert find_near_names(change(name) for name in Settings.model_fields if name != "demo") == {}  # type: ignore[operator]
