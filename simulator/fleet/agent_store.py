"""The agents of earlier runs, kept in a file, so that a run reuses their tokens and enrolls none of them again."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.errors import StartupError
from simulator.fleet.devices import SimulatedDevice


@dataclass(frozen=True, slots=True)
class KeptAgent:
    """An enrolled agent and its token."""

    agent_id: str
    token: str = field(repr=False)


class KeptAgents:
    """The agents at one server. `save` writes them to the file, which only its owner may read."""

    def __init__(self, path: Path, server: str) -> None:
        """Read the file if it exists; `server` separates the agents of several servers.

        Raises:
            StartupError: The file cannot be read, or contains something else.
        """
        self._path = path
        self._all = _read(path)
        self._agents = self._all.setdefault(server, {})

    def get(self, device: SimulatedDevice) -> KeptAgent | None:
        """The agent of an enrolled device."""
        kept = self._agents.get(_build_key(device))
        return KeptAgent(*kept) if kept else None

    def keep(self, device: SimulatedDevice, agent: KeptAgent) -> None:
        """Keep the agent of an enrolled device."""
        self._agents[_build_key(device)] = [agent.agent_id, agent.token]

    def save(self) -> None:
        """Write the whole file, with the mode 0600.

        Raises:
            StartupError: It cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(self._all))
            Path(draft).replace(self._path)
        except OSError as error:
            raise StartupError(f"{self._path} cannot be written: {error.strerror or error}.") from error


def _build_key(device: SimulatedDevice) -> str:
    return f"{device.site_id}/{device.number}"


def _read(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        read = orjson.loads(content)
    except orjson.JSONDecodeError:
        read = None
    if not _is_kept(read):
        raise StartupError(f"{path} is not a file of simulated agents. Delete it to start again.")
    return dict(read)


def _is_kept(read: Any) -> bool:
    return isinstance(read, dict) and all(
        isinstance(agents, dict)
        and all(
            isinstance(kept, list) and len(kept) == 2 and all(isinstance(text, str) for text in kept)
            for kept in agents.values()
        )
        for agents in read.values()
    )
