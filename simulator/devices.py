"""The devices of a simulated fleet, and the requests that their agents send."""

from dataclasses import dataclass
from typing import Final

from simulator.origin import Origin

_VERSION: Final = "2.14.0"
_PLATFORMS: Final = ("windows", "windows", "windows", "darwin", "linux")


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a site; `number` tells it from the fleet's others, and is the same in every run."""

    number: int
    site_id: str

    @property
    def hostname(self) -> str:
        """What it calls itself."""
        return f"sim-{self.number:06}"

    @property
    def mac(self) -> str:
        """An address that no hardware has (locally administered, RFC 9542): with the site it makes the guid."""
        return ":".join(f"{octet:02x}" for octet in (0x02 << 40 | self.number).to_bytes(6))

    @property
    def address(self) -> str:
        """Somewhere in 10.0.0.0/8."""
        return ".".join(map(str, (10, *(self.number & 0xFFFFFF).to_bytes(3))))

    def registration(self, origin: Origin, token: str) -> bytes:
        """Enrols it, by an enrolment token of its site."""
        body = {
            "site_id": self.site_id,
            "hostname": self.hostname,
            "platform": _PLATFORMS[self.number % len(_PLATFORMS)],
            "version": _VERSION,
            "mac": self.mac,
            "ip_address": self.address,
        }
        return origin.post("/v1.0/register", token, body, {})

    def beat(self, origin: Origin, agent_id: str, token: str) -> bytes:
        """A check-in of the agent that it was enrolled as."""
        told = {"hostname": self.hostname, "version": _VERSION, "ip_address": self.address}
        return heartbeat(origin, agent_id, self.site_id, token, told)


def heartbeat(origin: Origin, agent_id: str, site_id: str, token: str, told: dict[str, str]) -> bytes:
    """A check-in as agents in the field send it."""
    headers = {"X-Site-ID": site_id, "X-Device-ID": agent_id}
    return origin.post("/v1.0/heartbeat", token, told, headers)
