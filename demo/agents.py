"""Agents on customers' devices. Most checked in a moment ago, and some have been offline for hours or days."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from demo.names import AGENT_VERSIONS, HOST_KINDS
from demo.seeded_random import DAY, HOUR, MINUTE, SECOND, SeededRandom, is_chosen
from demo.world import DemoWorld, Row, Site, Tenant, demo_table

_PLATFORMS: Final = {"MB": "macos", "KIOSK": "linux"}
_OFFLINE_TIMES: Final = (
    (0.90, SECOND, 110 * SECOND),
    (0.04, 4 * MINUTE, HOUR),
    (0.03, HOUR, 20 * HOUR),
    (0.03, DAY, 60 * DAY),
)
"""The distribution of the last check-in's age: share, from, to."""


@dataclass(slots=True, eq=False)
class DemoAgent:
    """One agent; `offline_for` is the time since its last check-in, None if it never checked in."""

    id: str
    site: Site
    guid: str
    hostname: str
    platform: str
    mac: str | None
    ip: str | None
    external_ip: str | None
    age: int
    offline_for: int | None
    deleted: int | None


def build_guid(site_id: str, hostname: str, mac: str | None) -> str:
    """The guid of an agent that reported none: the hash of its MAC and site, else of its host name and site."""
    key = {"mac": mac, "siteId": site_id} if mac else {"hostname": hostname, "siteId": site_id}
    compact = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(compact.encode()).hexdigest()


def iter_agents(demo: DemoWorld, tenant: Tenant) -> Iterator[DemoAgent]:
    """A tenant's agents, site by site. Each call yields the same agents."""
    dice = demo.random_stream("agents", tenant.index)
    total = sum(site.agents for site in tenant.sites)
    ordinal = 0
    for site in tenant.sites:
        network = dice.randrange(256)
        for number in range(1, site.agents + 1):
            gone = is_chosen(ordinal, tenant.deleted_agents, total)
            yield _make_agent(dice, site, number, network, gone=gone)
            ordinal += 1


def _make_agent(dice: SeededRandom, site: Site, number: int, network: int, *, gone: bool) -> DemoAgent:
    age = dice.random_age(DAY, site.age)
    kind = dice.choice(HOST_KINDS)
    hostname = f"{site.prefix}-{kind}-{number:03d}"
    mac = None if dice.happens(0.04) else "02:" + dice.randbytes(5).hex(":")
    guid = dice.random_guid() if dice.happens(0.3) else build_guid(site.id, hostname, mac)
    return DemoAgent(
        id=dice.generate_id(age),
        site=site,
        guid=guid,
        hostname=hostname,
        platform=_PLATFORMS.get(kind, "windows"),
        mac=mac,
        ip=None if dice.happens(0.02) else f"10.{network}.{number >> 8}.{number & 255}",
        external_ip=None if dice.happens(0.05) else f"203.0.113.{network}",
        age=age,
        offline_for=_choose_offline_time(dice, site, age),
        deleted=dice.random_age(0, min(age, 60 * DAY)) if gone else None,
    )


def _choose_offline_time(dice: SeededRandom, site: Site, age: int) -> int | None:
    """The ms since the last check-in. All devices of a site that is no longer served are offline."""
    if dice.happens(0.01):
        return None
    if site.status != "active" or site.deleted is not None:
        return dice.random_age(DAY // 2, age)
    at = dice.random()
    for share, low, high in _OFFLINE_TIMES:
        at -= share
        if at < 0:
            return dice.random_age(low, min(high, age))
    return dice.random_age(DAY, age)


@demo_table(
    "agents",
    "id tenant_id site_id guid hostname platform version ip_address mac_address ext_address"
    " registered_at last_checkin_at created_at updated_at deleted_at",
)
def agents(demo: DemoWorld) -> Iterator[Row]:
    """The agents of all tenants. A few rows are older than the registration of their agents."""
    for tenant in demo.tenants:
        dice = demo.random_stream("agent-rows", tenant.index)
        for agent in iter_agents(demo, tenant):
            silence = agent.deleted if agent.deleted is not None else agent.offline_for
            yield (
                agent.id, tenant.id, agent.site.id, agent.guid, agent.hostname, agent.platform,
                dice.choice(AGENT_VERSIONS), agent.ip, agent.mac, agent.external_ip,
                None if dice.happens(0.03) else demo.now - agent.age, demo.ms_at(silence),
                *demo.row_times(agent.age, agent.deleted, dice.random_change_age(agent.age)),
            )  # fmt: skip
