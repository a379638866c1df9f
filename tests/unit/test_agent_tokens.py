"""Agents' tokens: each of its own kind, verified once, and remembered while there is room."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core import limits
from core.agent_tokens import AGENT_TYPE, AgentTokens
from core.clock import now_ms
from core.errors import StartupError, UnauthenticatedError
from core.issuer import SERVER_ISSUER
from core.settings import Settings
from core.signing import SigningKey
from services.agents.guid import guid_of


class Now:
    """A clock that is set by hand, in ms."""

    def __init__(self) -> None:
        self.ms = now_ms()

    def __call__(self) -> int:
        return self.ms


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.create(tmp_path_factory.mktemp("keys") / "key.pem")


def verified(tokens: AgentTokens, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures were looked at, as they come."""
    looked: list[str] = []
    look = tokens._verified_agent
    monkeypatch.setattr(tokens, "_verified_agent", lambda token: [looked.append(token), look(token)][1])
    return looked


def test_each_is_what_it_says(key: SigningKey) -> None:
    tokens = AgentTokens(key)
    agent = tokens.agent(tokens.issue("a", "s", "t"))
    assert (agent.agent_id, agent.site_id, agent.tenant_id, agent.name) == ("a", "s", "t", "a")
    first, second = (tokens.enrollment(tokens.issue_enrollment("s", "t", 60)) for _ in range(2))
    assert (first.site_id, first.tenant_id) == ("s", "t")
    assert first.name != second.name


def test_none_is_taken_for_another(key: SigningKey) -> None:
    tokens = AgentTokens(key)
    with pytest.raises(UnauthenticatedError):
        tokens.enrollment(tokens.issue("a", "s", "t"))
    with pytest.raises(UnauthenticatedError):
        tokens.agent(tokens.issue_enrollment("s", "t", 60))


@pytest.mark.parametrize("missing", ["sub", "site", "tenant", "iss"])
def test_each_claim_is_needed(key: SigningKey, missing: str) -> None:
    claims = {"iss": SERVER_ISSUER, "sub": "a", "site": "s", "tenant": "t"}
    del claims[missing]
    with pytest.raises(UnauthenticatedError):
        AgentTokens(key).agent(key.sign(claims, AGENT_TYPE, 60))


def test_a_signature_is_looked_at_once(key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    now = Now()
    tokens = AgentTokens(key, clock=now)
    looked = verified(tokens, monkeypatch)
    mine, other = tokens.issue("a", "s", "t"), tokens.issue("b", "s", "t")
    for _ in range(3):
        assert tokens.agent(mine).agent_id == "a"
        assert tokens.agent(other).agent_id == "b"
    assert looked == [mine, other]
    now.ms += limits.AGENT_TOKEN_MEMO_S * 1000
    tokens.agent(mine)
    assert looked == [mine, other, mine]


def test_a_remembered_token_expires_all_the_same(key: SigningKey) -> None:
    now = Now()
    tokens = AgentTokens(key, clock=now)
    token = key.sign({"iss": SERVER_ISSUER, "sub": "a", "site": "s", "tenant": "t"}, AGENT_TYPE, 60)
    tokens.agent(token)
    now.ms += (60 + limits.TOKEN_LEEWAY_S + 1) * 1000
    with pytest.raises(UnauthenticatedError):
        tokens.agent(token)


def test_where_there_is_no_room_those_who_are_known_stay_known(
    key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AGENT_TOKEN_MEMO_MAX", 3)
    tokens = AgentTokens(key)
    looked = verified(tokens, monkeypatch)
    fleet = [tokens.issue(str(n), "s", "t") for n in range(5)]
    for _ in range(4):
        for token in fleet:
            tokens.agent(token)
    assert [looked.count(token) for token in fleet] == [1, 1, 1, 4, 4]


def test_a_bad_token_is_not_remembered(key: SigningKey) -> None:
    tokens = AgentTokens(key)
    for token in ("", "x.y.z", "ü", "a" * 10_000):
        for _ in range(2):
            with pytest.raises(UnauthenticatedError):
                tokens.agent(token)
    assert not tokens._known


def test_what_former_keys_signed_is_still_taken(key: SigningKey, tmp_path: Path) -> None:
    pems = []
    for name in ("one", "two"):
        SigningKey.create(tmp_path / name)
        pems.append((tmp_path / name).read_text())
    former = SigningKey.load_former(Settings(former_signing_keys=SecretStr("\n".join(pems))))
    tokens = AgentTokens(key, former)
    for each in (*former, key):
        assert tokens.agent(AgentTokens(each).issue("a", "s", "t")).agent_id == "a"
        with pytest.raises(UnauthenticatedError):
            AgentTokens(SigningKey.create(tmp_path / "another"), former[:0]).agent(
                AgentTokens(each).issue("a", "s", "t")
            )
    assert tokens.enrollment(tokens.issue_enrollment("s", "t", 60)).site_id == "s"
    folded = SecretStr("".join(pems).replace("\n", "\\n"))
    assert SigningKey.load_former(Settings(former_signing_keys=folded)) == former
    assert SigningKey.load_former(Settings()) == ()
    for bad in ("x", pems[0] + "x", pems[0].replace("M", "N", 1)):
        with pytest.raises(StartupError):
            SigningKey.load_former(Settings(former_signing_keys=SecretStr(bad)))


def test_the_guid_that_agents_in_the_field_compute() -> None:
    """Written out by sha256sum, not by this code: printf '%s' '{"mac":"00:16","siteId":"s1"}' | sha256sum."""
    assert guid_of("s1", "desk", "mine", "00:16") == "mine"
    assert (
        guid_of("s1", "desk", None, "00:16")
        == "f0582f58de0b9c358b7b4a154333d5652049dcbfaf4e47e33664d5507754e04c"
    )
    assert guid_of("s1", "desk") == "f949e2fb742ad3f4841db18bd509bb3ba74fd4acf9e6a1da67b3a0ea98229d2c"
    assert guid_of("s1", "desk", "", "") == guid_of("s1", "desk")
