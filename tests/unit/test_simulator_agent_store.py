"""The simulator's file of agents."""

from pathlib import Path

import pytest

from core.errors import StartupError
from simulator.fleet.agent_store import KeptAgent, KeptAgents
from simulator.fleet.devices import SimulatedDevice

AGENT = KeptAgent("a", "token")


def test_agent_store_keeps_agent_for_its_device_and_server_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agents.json"
    kept = KeptAgents(path, "http://one")
    kept.keep(SimulatedDevice(1, "site"), AGENT)
    kept.save()
    assert KeptAgents(path, "http://one").get(SimulatedDevice(1, "site")) == AGENT
    assert KeptAgents(path, "http://one").get(SimulatedDevice(2, "site")) is None
    assert KeptAgents(path, "http://one").get(SimulatedDevice(1, "other")) is None
    assert KeptAgents(path, "http://two").get(SimulatedDevice(1, "site")) is None


def test_agent_store_save_keeps_other_servers_and_file_mode(tmp_path: Path) -> None:
    path = tmp_path / "agents.json"
    for server in ("http://one", "http://two"):
        kept = KeptAgents(path, server)
        kept.keep(SimulatedDevice(1, "site"), AGENT)
        kept.save()
    assert KeptAgents(path, "http://one").get(SimulatedDevice(1, "site")) == AGENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["agents.json"]


def test_kept_agent_repr_has_no_token() -> None:
    assert "token" not in repr(AGENT).replace("KeptAgent", "")


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"b": ["c"]}}', '{"a": {"b": ["c", 1]}}'])
def test_agent_store_of_other_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "agents.json"
    path.write_text(content)
    with pytest.raises(StartupError, match="simulated agents"):
        KeptAgents(path, "http://one")


def test_agent_store_of_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        KeptAgents(tmp_path, "http://one")
