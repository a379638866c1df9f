"""One device is one agent, however its GUID and MAC are spelled; two devices with a placeholder are two."""

import asyncio
import hashlib
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest

from tests.agent_api_harness import AgentApiHarness

pytestmark = pytest.mark.newest

BY_GUID: Final = "query ($guid: String!) { agentByGuid(guid: $guid) { id guid } }"
LIVE: Final = "query ($guid: String!, $other: String!) { one: agentByGuid(guid: $guid) { id } other: agentByGuid(guid: $other) { id } }"  # noqa: E501
RESTORE: Final = "mutation ($id: ID!) { restoreAgent(id: $id) { id } }"
UPDATE: Final = (
    "mutation ($id: ID!, $input: UpdateAgentInput!) { updateAgent(id: $id, input: $input) { macAddress } }"
)


async def _register_device(
    agent_api: AgentApiHarness, token: str | None = None, **device: Any
) -> dict[str, Any]:
    answer = await agent_api.register(token or await agent_api.issue_enrollment_token(), **device)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def _make_mac() -> str:
    digits = uuid4().hex
    return ":".join(["00", "16", *(digits[n : n + 2] for n in range(0, 8, 2))])


@pytest.mark.parametrize(
    "spelled",
    [str.upper, lambda m: m.replace(":", "-"), lambda m: m.replace(":", ""),
     lambda m: ".".join(m.replace(":", "")[n : n + 4] for n in (0, 4, 8))],
)  # fmt: skip
async def test_register_with_other_mac_spelling_returns_same_agent(
    agent_api: AgentApiHarness, spelled: Any
) -> None:
    mac = _make_mac()
    first = await _register_device(agent_api, mac=mac)
    compact = f'{{"mac":"{mac}","siteId":"{agent_api.mine.site}"}}'
    assert first["guid"] == hashlib.sha256(compact.encode()).hexdigest()
    again = await _register_device(agent_api, mac=spelled(mac))
    assert (again["device_id"], again["guid"]) == (first["device_id"], first["guid"])
    assert (await agent_api.read_agent_row(first["device_id"]))["mac_address"] == mac


async def test_register_with_other_mac_spelling_finds_agent_of_old_hash(agent_api: AgentApiHarness) -> None:
    """The hash of capitals and dashes, as in existing fleets."""
    mac = _make_mac().upper().replace(":", "-")
    first = await _register_device(agent_api, mac=mac)
    assert (await _register_device(agent_api, mac=mac.lower()))["device_id"] == first["device_id"]
    assert (await _register_device(agent_api, mac=mac))["guid"] == first["guid"]


async def test_register_with_several_spellings_concurrently_creates_one_agent(
    agent_api: AgentApiHarness,
) -> None:
    for _ in range(5):
        mac, token = _make_mac(), await agent_api.issue_enrollment_token()
        found = await asyncio.gather(
            *[
                _register_device(agent_api, token, mac=each)
                for each in (mac, mac.upper(), mac.replace(":", "-"), mac)
            ]
        )
        assert len({each["device_id"] for each in found}) == 1


@pytest.mark.parametrize("spelled", [str.upper, lambda g: f"{{{g}}}", lambda g: g.replace("-", "").upper()])
async def test_register_with_other_guid_spelling_returns_same_agent(
    agent_api: AgentApiHarness, spelled: Any
) -> None:
    guid = str(uuid4())
    first = await _register_device(agent_api, guid=spelled(guid))
    assert first["guid"] == guid
    assert (await _register_device(agent_api, guid=guid))["device_id"] == first["device_id"]
    user = await agent_api.create_user_token("Agents.Read")
    for spelling in (guid, spelled(guid), guid.upper()):
        answer = await agent_api.execute(BY_GUID, user, guid=spelling)
        assert answer["data"]["agentByGuid"] == {"id": first["device_id"], "guid": guid}


async def test_agent_by_guid_with_several_values_returns_each_agent(agent_api: AgentApiHarness) -> None:
    guids = [str(uuid4()) for _ in range(3)]
    ids = [(await _register_device(agent_api, guid=guid))["device_id"] for guid in guids]
    user = await agent_api.create_user_token("Agents.Read")
    for at_one, at_other in ((0, 1), (1, 2), (2, 0)):
        answer = await agent_api.execute(LIVE, user, guid=guids[at_one].upper(), other=guids[at_other])
        assert answer["data"] == {"one": {"id": ids[at_one]}, "other": {"id": ids[at_other]}}


async def test_register_agent_mutation_with_other_mac_spelling_returns_same_agent(
    agent_api: AgentApiHarness,
) -> None:
    mac = _make_mac()
    first = await _register_device(agent_api, mac=mac)
    query = "mutation ($input: RegisterAgentInput!) { registerAgent(input: $input) { deviceId guid } }"
    given = {
        "siteId": agent_api.mine.site,
        "hostname": "x",
        "platform": "p",
        "version": "1",
        "mac": mac.upper(),
    }
    answer = await agent_api.execute(query, agent_api.platform_token, agent_api.mine.id, input=given)
    assert answer["data"]["registerAgent"] == {"deviceId": first["device_id"], "guid": first["guid"]}


PLACEHOLDERS: Final = (
    {"mac": "00:00:00:00:00:00"}, {"mac": "ff:ff:ff:ff:ff:ff"}, {"mac": "01:00:5e:00:00:01"}, {"mac": "unknown"},
    {"mac": "02:00:00:00:00:00"}, {"guid": "00000000-0000-0000-0000-000000000000"}, {"guid": "Default string"},
    {"guid": "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "mac": "00-00-00-00-00-00"},
    {"guid": "To be filled by O.E.M."},
)  # fmt: skip


@pytest.mark.parametrize("device", PLACEHOLDERS)
async def test_register_with_placeholder_creates_agent_for_each_host(
    agent_api: AgentApiHarness, device: dict[str, str]
) -> None:
    name = uuid4().hex
    one, other = [await _register_device(agent_api, hostname=f"{name}-{n}", **device) for n in range(2)]
    assert one["device_id"] != other["device_id"]
    assert (await _register_device(agent_api, hostname=f"{name}-0", **device))["device_id"] == one[
        "device_id"
    ]


async def test_register_with_placeholder_keeps_agent_of_same_host(agent_api: AgentApiHarness) -> None:
    """Earlier agents with a GUID that is the hash of zeros: one host keeps its agent, and another host is another."""
    zeros, name = "00:00:00:00:00:00", uuid4().hex
    former = hashlib.sha256(f'{{"mac":"{zeros}","siteId":"{agent_api.mine.site}"}}'.encode()).hexdigest()
    made = await _register_device(agent_api, guid=former, hostname=name)
    assert (await _register_device(agent_api, mac=zeros, hostname=name))["device_id"] == made["device_id"]
    assert (await _register_device(agent_api, mac=zeros, hostname=f"{name}-2"))["device_id"] != made[
        "device_id"
    ]
    await agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE guid = $1", former)


async def test_heartbeat_and_update_agent_store_canonical_mac(agent_api: AgentApiHarness) -> None:
    agent, user = (
        await agent_api.enroll_agent(),
        await agent_api.create_user_token("Agents.Read", "Agents.Write"),
    )
    assert (await agent_api.send_heartbeat(agent, mac_address="00-16-3E-AA-BB-CC")).status_code == 200
    assert (await agent_api.read_agent_row(agent.id))["mac_address"] == "00:16:3e:aa:bb:cc"
    answer = await agent_api.execute(UPDATE, user, id=agent.id, input={"macAddress": "0016.3EAA.BBCD"})
    assert answer["data"]["updateAgent"]["macAddress"] == "00:16:3e:aa:bb:cd"


async def test_insert_agent_with_other_guid_spelling_violates_uniqueness(agent_api: AgentApiHarness) -> None:
    first = await _register_device(agent_api, guid=str(uuid4()))
    sql = """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version)
             VALUES ($1, $2, $3, 'h', 'p', 'v')"""
    with pytest.raises(asyncpg.UniqueViolationError):
        await agent_api.owner.execute(sql, agent_api.mine.id, agent_api.mine.site, first["guid"].upper())
