"""The devices of a simulated fleet, and the requests of their agents."""

from dataclasses import dataclass
from typing import Final

from simulator.fleet.server_address import ServerAddress

_VERSION: Final = "2.14.0"
_PLATFORMS: Final = ("windows", "windows", "windows", "macos", "linux")


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device of a site. `number` is unique in the fleet, and the same in every run."""

    number: int
    site_id: str

    @property
    def hostname(self) -> str:
        """The device's host name."""
        return f"sim-{self.number:06}"

    @property
    def mac(self) -> str:
        """A MAC address that no hardware has (locally administered, RFC 9542).

        The guid is made from it and the site.
        """
        return ":".join(f"{octet:02x}" for octet in (0x02 << 40 | self.number).to_bytes(6))

    @property
    def address(self) -> str:
        """An address in 10.0.0.0/8."""
        return ".".join(map(str, (10, *(self.number & 0xFFFFFF).to_bytes(3))))

    def build_registration(self, origin: ServerAddress, token: str) -> bytes:
        """The request that enrolls the device, with an enrollment token of its site."""
        body = {
            "site_id": self.site_id,
            "hostname": self.hostname,
            "platform": _PLATFORMS[self.number % len(_PLATFORMS)],
            "version": _VERSION,
            "mac": self.mac,
            "ip_address": self.address,
        }
        return origin.build_post("/v1.0/register", token, body, {})

    def build_check_in(self, origin: ServerAddress, agent_id: str, token: str) -> bytes:
        """A check-in request of the enrolled agent."""
        fields = {"hostname": self.hostname, "version": _VERSION, "ip_address": self.address}
        return build_heartbeat(origin, agent_id, self.site_id, token, fields)


def build_heartbeat(
    origin: ServerAddress, agent_id: str, site_id: str, token: str, fields: dict[str, str]
) -> bytes:
    """A check-in request in the form of agents in the field."""
    headers = {"X-Site-ID": site_id, "X-Device-ID": agent_id}
    return origin.build_post("/v1.0/heartbeat", token, fields, headers)
