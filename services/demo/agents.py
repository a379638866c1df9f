"""Agents on customers' devices: most checked in a moment ago, some are gone for hours or days."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.demo.dice import DAY, HOUR, MINUTE, SECOND, Dice, spread
from services.demo.names import AGENT_VERSIONS, HOST_KINDS
from services.demo.world import Demo, Row, Site, Tenant, table

_PLATFORMS: Final = {"MB": "macos", "KIOSK": "linux"}
_SILENCES: Final = (
    (0.90, SECOND, 110 * SECOND),
    (0.04, 4 * MINUTE, HOUR),
    (0.03, HOUR, 20 * HOUR),
    (0.03, DAY, 60 * DAY),
)
"""Shares of the agents by how long ago the last check-in was: from, to."""


@dataclass(slots=True, eq=False)
class Agent:
    """One agent; `silence` is how long ago it last checked in, None when it never did."""

    id: str
    site: Site
    guid: str
    hostname: str
    platform: str
    mac: str | None
    ip: str | None
    external_ip: str | None
    age: int
    silence: int | None
    deleted: int | None


def guid_of(site_id: str, hostname: str, mac: str | None) -> str:
    """The guid of an agent that brought none: the hash of its MAC at its site, else of its hostname there."""
    key = {"mac": mac, "siteId": site_id} if mac else {"hostname": hostname, "siteId": site_id}
    compact = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(compact.encode()).hexdigest()


def enrolled(demo: Demo, tenant: Tenant) -> Iterator[Agent]:
    """A tenant's agents, site by site; the same again whenever asked."""
    dice = demo.stream("agents", tenant.index)
    total = sum(site.agents for site in tenant.sites)
    ordinal = 0
    for site in tenant.sites:
        network = dice.randrange(256)
        for number in range(1, site.agents + 1):
            gone = spread(ordinal, tenant.deleted_agents, total)
            yield _agent(dice, site, number, network, gone=gone)
            ordinal += 1


def _agent(dice: Dice, site: Site, number: int, network: int, *, gone: bool) -> Agent:
    age = dice.age(DAY, site.age)
    kind = dice.choice(HOST_KINDS)
    hostname = f"{site.prefix}-{kind}-{number:03d}"
    mac = None if dice.chance(0.04) else "02:" + dice.randbytes(5).hex(":")
    guid = dice.guid() if dice.chance(0.3) else guid_of(site.id, hostname, mac)
    return Agent(
        id=dice.new_id(age),
        site=site,
        guid=guid,
        hostname=hostname,
        platform=_PLATFORMS.get(kind, "windows"),
        mac=mac,
        ip=None if dice.chance(0.02) else f"10.{network}.{number >> 8}.{number & 255}",
        external_ip=None if dice.chance(0.05) else f"203.0.113.{network}",
        age=age,
        silence=_silence(dice, site, age),
        deleted=dice.age(0, min(age, 60 * DAY)) if gone else None,
    )


def _silence(dice: Dice, site: Site, age: int) -> int | None:
    """Ms since the last check-in; devices of a site that is not served any more are all away."""
    if dice.chance(0.01):
        return None
    if site.status != "active" or site.deleted is not None:
        return dice.age(DAY // 2, age)
    at = dice.random()
    for share, low, high in _SILENCES:
        at -= share
        if at < 0:
            return dice.age(low, min(high, age))
    return dice.age(DAY, age)


@table(
    "agents",
    "id tenant_id site_id guid hostname platform version ip_address mac_address ext_address"
    " registered_at last_checkin_at created_at updated_at deleted_at",
)
def agents(demo: Demo) -> Iterator[Row]:
    """Every tenant's agents; a few rows are older than the agents' registering."""
    for tenant in demo.tenants:
        dice = demo.stream("agent-rows", tenant.index)
        for agent in enrolled(demo, tenant):
            silence = agent.deleted if agent.deleted is not None else agent.silence
            yield (
                agent.id, tenant.id, agent.site.id, agent.guid, agent.hostname, agent.platform,
                dice.choice(AGENT_VERSIONS), agent.ip, agent.mac, agent.external_ip,
                None if dice.chance(0.03) else demo.now - agent.age, demo.at(silence),
                *demo.times(agent.age, agent.deleted, dice.last_change(agent.age)),
            )  # fmt: skip
