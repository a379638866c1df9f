"""Agents' tokens: of their own kind, verified once, and cached up to a limit."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core import limits
from core.auth.agent_tokens import AGENT_TYPE, AgentIdentity, AgentTokens
from core.auth.issuer import SERVER_ISSUER
from core.auth.signing import SigningKey
from core.clock import now_ms
from core.errors import StartupError, UnauthenticatedError
from core.settings import Settings
from services.device_identity import build_device_identity
from tests.manual_clock import ManualClock


@pytest.fixture(scope="module")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.create(tmp_path_factory.mktemp("keys") / "key.pem")


def record_verified_tokens(tokens: AgentTokens, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens with verified signatures, in order of arrival."""
    checked: list[str] = []
    verify = tokens._verify_agent

    def record_and_verify(token: str) -> AgentIdentity:
        checked.append(token)
        return verify(token)

    monkeypatch.setattr(tokens, "_verify_agent", record_and_verify)
    return checked


def test_agent_tokens_of_each_kind_give_their_claims(signing_key: SigningKey) -> None:
    tokens = AgentTokens(signing_key)
    agent = tokens.verify_agent_token(tokens.issue_agent_token("a", "s", "t"))
    assert (agent.agent_id, agent.site_id, agent.tenant_id, agent.name) == ("a", "s", "t", "a")
    first, second = (
        tokens.verify_enrollment_token(tokens.issue_enrollment_token("s", "t", 60)) for _ in range(2)
    )
    assert (first.site_id, first.tenant_id) == ("s", "t")
    assert first.name != second.name


def test_agent_tokens_of_the_other_kind_are_refused(signing_key: SigningKey) -> None:
    tokens = AgentTokens(signing_key)
    with pytest.raises(UnauthenticatedError):
        tokens.verify_enrollment_token(tokens.issue_agent_token("a", "s", "t"))
    with pytest.raises(UnauthenticatedError):
        tokens.verify_agent_token(tokens.issue_enrollment_token("s", "t", 60))


@pytest.mark.parametrize("missing", ["sub", "site", "tenant", "iss"])
def test_verify_agent_token_without_a_claim_is_refused(signing_key: SigningKey, missing: str) -> None:
    claims = {"iss": SERVER_ISSUER, "sub": "a", "site": "s", "tenant": "t"}
    del claims[missing]
    with pytest.raises(UnauthenticatedError):
        AgentTokens(signing_key).verify_agent_token(signing_key.sign(claims, AGENT_TYPE, 60))


def test_verify_agent_token_while_cached_checks_no_signature(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(now_ms())
    tokens = AgentTokens(signing_key, clock=clock)
    checked = record_verified_tokens(tokens, monkeypatch)
    mine, other = tokens.issue_agent_token("a", "s", "t"), tokens.issue_agent_token("b", "s", "t")
    for _ in range(3):
        assert tokens.verify_agent_token(mine).agent_id == "a"
        assert tokens.verify_agent_token(other).agent_id == "b"
    assert checked == [mine, other]
    clock.now += limits.AGENT_TOKEN_CACHE_S * 1000
    tokens.verify_agent_token(mine)
    assert checked == [mine, other, mine]


def test_verify_agent_token_cached_but_expired_is_refused(signing_key: SigningKey) -> None:
    clock = ManualClock(now_ms())
    tokens = AgentTokens(signing_key, clock=clock)
    token = signing_key.sign({"iss": SERVER_ISSUER, "sub": "a", "site": "s", "tenant": "t"}, AGENT_TYPE, 60)
    tokens.verify_agent_token(token)
    clock.now += (60 + limits.TOKEN_LEEWAY_S + 1) * 1000
    with pytest.raises(UnauthenticatedError):
        tokens.verify_agent_token(token)


def test_agent_token_cache_when_full_keeps_its_entries(
    signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AGENT_TOKENS_CACHED_MAX", 3)
    tokens = AgentTokens(signing_key)
    checked = record_verified_tokens(tokens, monkeypatch)
    fleet = [tokens.issue_agent_token(str(n), "s", "t") for n in range(5)]
    for _ in range(4):
        for token in fleet:
            tokens.verify_agent_token(token)
    assert [checked.count(token) for token in fleet] == [1, 1, 1, 4, 4]


def test_verify_agent_token_invalid_is_refused_and_not_cached(signing_key: SigningKey) -> None:
    tokens = AgentTokens(signing_key)
    for token in ("", "x.y.z", "ü", "a" * 10_000):
        for _ in range(2):
            with pytest.raises(UnauthenticatedError):
                tokens.verify_agent_token(token)
    assert not tokens._cache


def test_agent_tokens_of_former_keys_are_accepted(signing_key: SigningKey, tmp_path: Path) -> None:
    pems = []
    for name in ("one", "two"):
        SigningKey.create(tmp_path / name)
        pems.append((tmp_path / name).read_text())
    former = SigningKey.load_former(Settings(former_signing_keys=SecretStr("\n".join(pems))))
    tokens = AgentTokens(signing_key, former)
    for each in (*former, signing_key):
        assert tokens.verify_agent_token(AgentTokens(each).issue_agent_token("a", "s", "t")).agent_id == "a"
        with pytest.raises(UnauthenticatedError):
            AgentTokens(SigningKey.create(tmp_path / "another"), former[:0]).verify_agent_token(
                AgentTokens(each).issue_agent_token("a", "s", "t")
            )
    assert tokens.verify_enrollment_token(tokens.issue_enrollment_token("s", "t", 60)).site_id == "s"
    folded = SecretStr("".join(pems).replace("\n", "\\n"))
    assert SigningKey.load_former(Settings(former_signing_keys=folded)) == former
    assert SigningKey.load_former(Settings()) == ()


def test_former_signing_keys_of_either_form_are_loaded(tmp_path: Path) -> None:
    wanted = tuple(SigningKey.create(tmp_path / name) for name in ("one", "two"))
    pems = [(tmp_path / name).read_text() for name in ("one", "two")]
    bodies = ["".join(pem.splitlines()[1:-1]) for pem in pems]
    for text in (",".join(bodies), ", ".join(bodies), "\n".join(bodies), pems[0] + bodies[1], ",".join(pems)):
        assert SigningKey.load_former(Settings(former_signing_keys=SecretStr(text))) == wanted


def test_former_signing_keys_with_other_text_are_refused_and_not_shown(tmp_path: Path) -> None:
    SigningKey.create(tmp_path / "one")
    pem = (tmp_path / "one").read_text()
    body = "".join(pem.splitlines()[1:-1])
    for bad in (" ", "x", f"{pem}x", f"{body},x", body * 2, pem.replace("M", "N", 1), pem.replace("\n", "n")):
        with pytest.raises(StartupError, match="FORMER_SIGNING_KEYS") as caught:
            SigningKey.load_former(Settings(former_signing_keys=SecretStr(bad)))
        assert body[:8] not in str(caught.value)


def test_device_identity_guid_equals_that_of_deployed_agents() -> None:
    """Written out by sha256sum, not by this code: printf '%s' '{"mac":"00:16","siteId":"s1"}' | sha256sum."""
    assert build_device_identity("s1", "desk", "mine", "00:16").guid == "mine"
    assert (
        build_device_identity("s1", "desk", None, "00:16").guid
        == "f0582f58de0b9c358b7b4a154333d5652049dcbfaf4e47e33664d5507754e04c"
    )
    assert (
        build_device_identity("s1", "desk").guid
        == "f949e2fb742ad3f4841db18bd509bb3ba74fd4acf9e6a1da67b3a0ea98229d2c"
    )
    assert build_device_identity("s1", "desk", "", "").guid == build_device_identity("s1", "desk").guid
