"""Envelopes: what opens them, and that nothing else does."""

import base64
import stat
from pathlib import Path

import pytest

from core.encryption import ENVELOPE, SecretKey, SecretKeys
from core.errors import StartupError
from core.settings import Settings

OLD, NEW = SecretKey.of(b"o" * 32), SecretKey.of(b"n" * 32)
PLACE = b'["source","key"]'


def test_what_is_sealed_opens_in_its_place_only() -> None:
    keys = SecretKeys([NEW])
    envelope = keys.seal(b"hunter2", PLACE)
    assert envelope.startswith(f"{ENVELOPE}{NEW.id}:")
    assert "hunter2" not in envelope
    assert keys.open(envelope, PLACE) == b"hunter2"
    assert keys.open(envelope, b'["neighbour","key"]') is None


def test_no_two_envelopes_of_a_secret_are_alike() -> None:
    keys = SecretKeys([NEW])
    assert len({keys.seal(b"hunter2", PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("at", range(0, 55, 6))
def test_a_changed_envelope_does_not_open(at: int) -> None:
    keys = SecretKeys([NEW])
    envelope = keys.seal(b"hunter2", PLACE)
    at += len(ENVELOPE)
    changed = envelope[:at] + ("A" if envelope[at] != "A" else "B") + envelope[at + 1 :]
    assert keys.open(changed, PLACE) is None


@pytest.mark.parametrize(
    "envelope", [ENVELOPE, f"{ENVELOPE}:", f"{ENVELOPE}{NEW.id}:", f"{ENVELOPE}{NEW.id}:é", "enc:v1:AAAA"]
)
def test_what_is_no_envelope_does_not_open(envelope: str) -> None:
    assert SecretKeys([NEW]).open(envelope, PLACE) is None


def test_the_first_key_seals_and_all_open() -> None:
    before = SecretKeys([OLD]).seal(b"hunter2", PLACE)
    keys = SecretKeys([NEW, OLD])
    assert keys.open(before, PLACE) == b"hunter2"
    assert not keys.is_current(before)
    assert keys.is_current(keys.seal(b"hunter2", PLACE))
    assert SecretKeys([NEW]).open(before, PLACE) is None


def test_without_keys_nothing_is_sealed() -> None:
    keys = SecretKeys.load(Settings())
    assert not keys
    with pytest.raises(ValueError, match="no key"):
        keys.seal(b"hunter2", PLACE)


@pytest.mark.parametrize(
    "encode", [base64.b64encode, base64.urlsafe_b64encode, lambda key: base64.b64encode(key).rstrip(b"=")]
)
def test_keys_are_base64_in_either_alphabet(encode: object) -> None:
    assert callable(encode)
    key = bytes(range(224, 256))
    settings = Settings(secret_keys=(f" {encode(key).decode()} ", base64.b64encode(b"o" * 32).decode()))
    keys = SecretKeys.load(settings)
    assert SecretKeys([SecretKey.of(key)]).open(keys.seal(b"x", PLACE), PLACE) == b"x"
    assert keys.open(SecretKeys([OLD]).seal(b"y", PLACE), PLACE) == b"y"


@pytest.mark.parametrize(
    "wrong", ["hunter2", "A" * 42, "A" * 45, base64.b64encode(b"o" * 16).decode(), "é" * 43]
)
def test_what_is_no_key_is_refused_and_not_shown(wrong: str) -> None:
    good = base64.b64encode(b"o" * 32).decode()
    with pytest.raises(StartupError, match="Key 2 of SECRET_KEYS") as caught:
        SecretKeys.load(Settings(secret_keys=(good, wrong)))
    assert wrong not in str(caught.value)
    assert good not in str(caught.value)


def test_keys_come_from_the_environment_with_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [base64.b64encode(letter * 32).decode() for letter in (b"n", b"o")]
    monkeypatch.setenv("SECRET_KEYS", ", ".join(keys))
    settings = Settings()
    assert not any(key in repr(settings) for key in keys)
    assert SecretKeys.load(settings).open(SecretKeys([OLD]).seal(b"y", PLACE), PLACE) == b"y"


def test_the_demo_keeps_a_key_of_its_own(tmp_path: Path) -> None:
    settings = Settings(demo=True, data_dir=tmp_path)
    envelope = SecretKeys.load(settings).seal(b"hunter2", PLACE)
    assert SecretKeys.load(settings).open(envelope, PLACE) == b"hunter2"
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    other = SecretKeys.load(Settings(demo=True, data_dir=tmp_path / "other"))
    assert other.open(envelope, PLACE) is None


def test_a_key_shows_nothing_of_itself() -> None:
    shown = repr(NEW)
    assert "nnnn" not in shown
    assert base64.b64encode(b"n" * 32).decode() not in shown
