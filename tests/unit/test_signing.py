"""The server's own key: where it is from, who may read it, what it signs."""

import hashlib
import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jws
from jose.utils import base64url_encode
from pydantic import SecretStr

from core.errors import StartupError
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from tests.issuers import ec_key, rsa_key


def pem(key: Any, encryption: serialization.KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    ).decode()


def settings(tmp_path: Path, key: str | None = None, **more: Any) -> Settings:
    return Settings(data_dir=tmp_path, signing_key=None if key is None else SecretStr(key), **more)


def test_the_key_of_the_settings(tmp_path: Path) -> None:
    key = SigningKey.load(settings(tmp_path, pem(ec_key("a"))))
    assert key is not None
    assert jws.verify(issue_platform_token(key), key.public_jwk, algorithms=["ES256"])
    assert list(tmp_path.iterdir()) == []


def test_a_pem_on_one_line(tmp_path: Path) -> None:
    text = pem(ec_key("a"))
    folded = SigningKey.load(settings(tmp_path, text.strip().replace("\n", "\\n")))
    assert folded == SigningKey.load(settings(tmp_path, text))


def test_the_name_is_the_thumbprint_of_rfc_7638(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "k.pem")
    members = {name: key.public_jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    assert key.kid == base64url_encode(hashlib.sha256(canonical).digest()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        pem(rsa_key("a")),
        pem(ec_key("o", ec.SECP384R1)),
        pem(ec_key("a"), serialization.BestAvailableEncryption(b"x")),
        ec_key("a")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    ],
)
def test_what_is_no_such_key_stops_the_start_and_is_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(StartupError, match="SIGNING_KEY") as caught:
        SigningKey.load(settings(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert not text or text not in str(caught.value)


def test_without_a_setting_there_is_a_key_in_the_demo_alone(tmp_path: Path) -> None:
    assert SigningKey.load(settings(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
    made = SigningKey.load(settings(tmp_path, demo=True))
    assert made is not None
    assert SigningKey.load(settings(tmp_path, demo=True)) == made


def test_a_made_key_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key.pem"
    made = SigningKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key.pem"]
    assert SigningKey.create(path).kid == made.kid


def _kid(path: str) -> str:
    return SigningKey.create(Path(path)).kid


def test_processes_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for number in range(5):
            path = tmp_path / f"{number}.pem"
            assert len(set(pool.map(_kid, [str(path)] * 8, chunksize=1))) == 1
    assert len(list(tmp_path.iterdir())) == 5


def test_a_file_with_something_else_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("half a k")
    with pytest.raises(StartupError, match=r"key\.pem"):
        SigningKey.create(path)
    assert path.read_text() == "half a k"


def test_a_directory_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot be used"):
        SigningKey.create(tmp_path / "file" / "key.pem")


def test_nothing_secret_is_shown_or_published(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    assert set(key.public_jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert repr(key) == f"SigningKey(kid={key.kid!r})"
