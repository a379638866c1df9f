"""The server's own key: its source, who may read it, and what it signs."""

import base64
import hashlib
import json
import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jws
from jose.utils import base64url_encode
from pydantic import SecretStr

from core.auth.signing import SigningKey, issue_platform_token
from core.errors import StartupError
from core.settings import Settings
from tests.issuers import make_ec_key, make_rsa_key


def encode_pem(key: Any, encryption: serialization.KeySerializationEncryption | None = None) -> str:
    pem: str = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    ).decode()
    return pem


def build_settings(tmp_path: Path, key: str | None = None, **more: Any) -> Settings:
    return Settings(data_dir=tmp_path, signing_key=None if key is None else SecretStr(key), **more)


def test_signing_key_of_settings_signs_and_writes_no_file(tmp_path: Path) -> None:
    key = SigningKey.load(build_settings(tmp_path, encode_pem(make_ec_key("a"))))
    assert key is not None
    assert jws.verify(issue_platform_token(key), key.public_jwk, algorithms=["ES256"])
    assert list(tmp_path.iterdir()) == []


def test_signing_key_of_folded_pem_is_the_same_key(tmp_path: Path) -> None:
    text = encode_pem(make_ec_key("a"))
    folded = SigningKey.load(build_settings(tmp_path, text.strip().replace("\n", "\\n")))
    assert folded == SigningKey.load(build_settings(tmp_path, text))


@pytest.mark.parametrize(
    "encode",
    [base64.b64encode, base64.urlsafe_b64encode, lambda der: base64.b64encode(der).rstrip(b"=") + b"\n"],
)
def test_signing_key_of_base64_of_pkcs8_is_that_of_the_pem(
    tmp_path: Path, encode: Callable[[bytes], bytes]
) -> None:
    text = encode_pem(make_ec_key("a"))
    der = base64.b64decode("".join(text.splitlines()[1:-1]))
    key = SigningKey.load(build_settings(tmp_path, encode(der).decode()))
    assert key == SigningKey.load(build_settings(tmp_path, text))


def test_signing_key_id_is_the_rfc_7638_thumbprint(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "k.pem")
    members = {name: key.public_jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    assert key.kid == base64url_encode(hashlib.sha256(canonical).digest()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "é" * 184,
        base64.b64encode(b"k" * 138).decode(),
        encode_pem(make_ec_key("a")).replace("\n", "n"),  # as systemd reads `\n` without quotes
        "".join(encode_pem(make_rsa_key("a")).splitlines()[1:-1]),
        encode_pem(make_rsa_key("a")),
        encode_pem(make_ec_key("o", ec.SECP384R1)),
        encode_pem(make_ec_key("a"), serialization.BestAvailableEncryption(b"x")),
        make_ec_key("a")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    ],
)
def test_signing_key_load_of_other_text_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(StartupError, match="SIGNING_KEY") as caught:
        SigningKey.load(build_settings(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert not text or text not in str(caught.value)


def test_signing_key_load_without_setting_creates_one_only_in_demo(tmp_path: Path) -> None:
    assert SigningKey.load(build_settings(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
    made = SigningKey.load(build_settings(tmp_path, demo=True))
    assert made is not None
    assert SigningKey.load(build_settings(tmp_path, demo=True)) == made


def test_signing_key_created_file_is_private_and_reused(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key.pem"
    made = SigningKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key.pem"]
    assert SigningKey.create(path).kid == made.kid


def _create_key_id(path: str) -> str:
    return SigningKey.create(Path(path)).kid


def test_signing_key_create_in_concurrent_processes_gives_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for number in range(5):
            path = tmp_path / f"{number}.pem"
            assert len(set(pool.map(_create_key_id, [str(path)] * 8, chunksize=1))) == 1
    assert len(list(tmp_path.iterdir())) == 5


def test_signing_key_create_over_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("half a k")
    with pytest.raises(StartupError, match=r"key\.pem"):
        SigningKey.create(path)
    assert path.read_text() == "half a k"


def test_signing_key_create_in_unusable_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot be used"):
        SigningKey.create(tmp_path / "file" / "key.pem")


def test_signing_key_repr_and_jwk_have_no_secret(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    assert set(key.public_jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert repr(key) == f"SigningKey(kid={key.kid!r})"
