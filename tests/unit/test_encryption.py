"""Envelopes: what opens them, and that nothing else does."""

import base64
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.encryption import ENVELOPE, SecretKey, SecretKeys
from core.errors import StartupError
from core.settings import Settings

OLD, NEW = SecretKey.from_bytes(b"o" * 32), SecretKey.from_bytes(b"n" * 32)
CONTEXT = b'["source","key"]'


def test_secret_keys_open_envelope_only_in_its_context() -> None:
    keys = SecretKeys([NEW])
    envelope = keys.seal(b"hunter2", CONTEXT)
    assert envelope.startswith(f"{ENVELOPE}{NEW.id}:")
    assert "hunter2" not in envelope
    assert keys.open(envelope, CONTEXT) == b"hunter2"
    assert keys.open(envelope, b'["neighbour","key"]') is None


def test_secret_keys_seal_same_secret_gives_different_envelopes() -> None:
    keys = SecretKeys([NEW])
    assert len({keys.seal(b"hunter2", CONTEXT) for _ in range(100)}) == 100


@pytest.mark.parametrize("at", range(0, 55, 6))
def test_secret_keys_open_altered_envelope_gives_none(at: int) -> None:
    keys = SecretKeys([NEW])
    envelope = keys.seal(b"hunter2", CONTEXT)
    at += len(ENVELOPE)
    changed = envelope[:at] + ("A" if envelope[at] != "A" else "B") + envelope[at + 1 :]
    assert keys.open(changed, CONTEXT) is None


@pytest.mark.parametrize(
    "envelope", [ENVELOPE, f"{ENVELOPE}:", f"{ENVELOPE}{NEW.id}:", f"{ENVELOPE}{NEW.id}:é", "enc:v1:AAAA"]
)
def test_secret_keys_open_malformed_envelope_gives_none(envelope: str) -> None:
    assert SecretKeys([NEW]).open(envelope, CONTEXT) is None


def test_secret_keys_seal_with_the_first_and_open_with_all() -> None:
    before = SecretKeys([OLD]).seal(b"hunter2", CONTEXT)
    keys = SecretKeys([NEW, OLD])
    assert keys.open(before, CONTEXT) == b"hunter2"
    assert not keys.is_current(before)
    assert keys.is_current(keys.seal(b"hunter2", CONTEXT))
    assert SecretKeys([NEW]).open(before, CONTEXT) is None


def test_secret_keys_without_keys_refuse_to_seal() -> None:
    keys = SecretKeys.load(Settings())
    assert not keys
    with pytest.raises(ValueError, match="no key"):
        keys.seal(b"hunter2", CONTEXT)


@pytest.mark.parametrize(
    "encode", [base64.b64encode, base64.urlsafe_b64encode, lambda key: base64.b64encode(key).rstrip(b"=")]
)
def test_secret_keys_load_either_base64_alphabet(encode: object) -> None:
    assert callable(encode)
    key = bytes(range(224, 256))
    settings = Settings(
        secret_keys=(SecretStr(f" {encode(key).decode()} "), SecretStr(base64.b64encode(b"o" * 32).decode()))
    )
    keys = SecretKeys.load(settings)
    assert SecretKeys([SecretKey.from_bytes(key)]).open(keys.seal(b"x", CONTEXT), CONTEXT) == b"x"
    assert keys.open(SecretKeys([OLD]).seal(b"y", CONTEXT), CONTEXT) == b"y"


@pytest.mark.parametrize(
    "wrong", ["hunter2", "A" * 42, "A" * 45, base64.b64encode(b"o" * 16).decode(), "é" * 43]
)
def test_secret_keys_load_invalid_key_is_refused_and_not_shown(wrong: str) -> None:
    good = base64.b64encode(b"o" * 32).decode()
    with pytest.raises(StartupError, match="Key 2 of SECRET_KEYS") as caught:
        SecretKeys.load(Settings(secret_keys=(SecretStr(good), SecretStr(wrong))))
    assert wrong not in str(caught.value)
    assert good not in str(caught.value)


def test_secret_keys_load_environment_list_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [base64.b64encode(letter * 32).decode() for letter in (b"n", b"o")]
    monkeypatch.setenv("SECRET_KEYS", ", ".join(keys))
    settings = Settings()
    assert not any(key in repr(settings) for key in keys)
    assert SecretKeys.load(settings).open(SecretKeys([OLD]).seal(b"y", CONTEXT), CONTEXT) == b"y"


def test_secret_keys_load_demo_creates_a_private_key_file(tmp_path: Path) -> None:
    settings = Settings(demo=True, data_dir=tmp_path)
    envelope = SecretKeys.load(settings).seal(b"hunter2", CONTEXT)
    assert SecretKeys.load(settings).open(envelope, CONTEXT) == b"hunter2"
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    other = SecretKeys.load(Settings(demo=True, data_dir=tmp_path / "other"))
    assert other.open(envelope, CONTEXT) is None


def test_secret_key_repr_has_no_key_material() -> None:
    shown = repr(NEW)
    assert "nnnn" not in shown
    assert base64.b64encode(b"n" * 32).decode() not in shown
