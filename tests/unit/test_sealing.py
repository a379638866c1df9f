"""Sealed tokens: equal for equal values, of one purpose and key, and without a trace of what they hold."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.auth.sealing import Purpose, TokenSealer, TransactionId, TransactionTokens
from core.auth.signing import generate_signing_pem
from core.base64url import decode_base64url, encode_base64url
from core.errors import BadUserInputError
from core.settings import Settings
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.change_log.snapshot_tokens import SnapshotTokens
from tests.sealed_tokens import SEALER, open_snapshot

TIMELINE = "aa564942e1534fe5b75c665fbc7fcf96"


def load_sealer(signing_pem: bytes, *former: bytes) -> TokenSealer:
    """The sealer of these keys, as a server loads it."""
    former_pems = SecretStr(b"".join(former).decode()) if former else None
    return TokenSealer.load(
        Settings(signing_key=SecretStr(signing_pem.decode()), former_signing_keys=former_pems)
    )


@pytest.mark.parametrize("value", ["", "a", "800:800:@x", "x" * 63, "x" * 64, "x" * 65, "x" * 5_000])
@pytest.mark.parametrize("purpose", Purpose)
def test_seal_opens_for_its_purpose_only(purpose: Purpose, value: str) -> None:
    sealed = SEALER.seal(purpose, value)
    assert {other: SEALER.open(other, sealed) for other in Purpose} == {
        other: value if other is purpose else None for other in Purpose
    }


def test_seal_of_equal_snapshots_is_equal_and_of_others_differs() -> None:
    tokens = SnapshotTokens(SEALER)
    snapshots = [Snapshot(8, 8, frozenset(), TIMELINE), Snapshot(8, 9, frozenset(), TIMELINE)]
    texts = [tokens.seal(snapshot) for snapshot in snapshots]
    assert texts == [SnapshotTokens(SEALER).seal(Snapshot(8, 8 + n, frozenset(), TIMELINE)) for n in (0, 1)]
    assert texts[0] != texts[1]
    assert [open_snapshot(text) for text in texts] == snapshots
    assert tokens.seal(snapshots[0]) == texts[0]


def test_seal_of_same_snapshot_is_computed_once() -> None:
    calls = []

    class CountingSealer(TokenSealer):
        def seal(self, purpose: Purpose, value: str) -> str:
            calls.append(value)
            return super().seal(purpose, value)

    tokens, snapshot = SnapshotTokens(CountingSealer([bytes(64)])), Snapshot(8, 8)
    assert len({tokens.seal(snapshot) for _ in range(1_000)}) == 1
    assert calls == [str(snapshot)]


def test_sealed_text_shows_neither_ids_nor_their_number() -> None:
    """A busy neighbor's running transactions would lengthen it."""
    xids = [10**9 + number for number in range(4)]
    few, many = (Snapshot(xids[0], xids[-1] + 1, frozenset(xids[:count]), "0001-7") for count in (0, 2))
    texts = [SnapshotTokens(SEALER).seal(snapshot) for snapshot in (few, many)]
    assert len(texts[0]) == len(texts[1])
    for text in texts:
        assert not any(str(xid).encode() in decode_base64url(text) for xid in xids)
        assert "0001-7" not in text
    short, long = (TransactionTokens(SEALER, lambda: TIMELINE).seal(xid) for xid in ("7", str(2**62)))
    assert len(short) == len(long)


def test_transaction_token_names_its_timeline() -> None:
    token = TransactionTokens(SEALER, lambda: TIMELINE).seal("10423")
    assert TransactionTokens(SEALER, lambda: "another").open(token) == TransactionId(10423, TIMELINE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10423",
        "A" * 107,
        "=",
        "\N{SNOWMAN}",
        "\ud800",
        "x" * 1_000_000,
        SnapshotTokens(SEALER).seal(Snapshot(8, 8)),
        SEALER.seal(Purpose.TRANSACTION, "no number@x"),
        SEALER.seal(Purpose.TRANSACTION, f"{2**64}@x"),
    ],
)
def test_transaction_token_malformed_is_refused(text: str) -> None:
    with pytest.raises(BadUserInputError):
        TransactionTokens(SEALER, lambda: "").open(text)


def test_sealed_text_altered_is_refused() -> None:
    sealed = decode_base64url(SEALER.seal(Purpose.SNAPSHOT, "800:800:"))
    for position in range(len(sealed)):
        bent = bytearray(sealed)
        bent[position] ^= 1
        assert SEALER.open(Purpose.SNAPSHOT, encode_base64url(bytes(bent))) is None


def test_sealer_opens_tokens_of_former_signing_keys() -> None:
    first, second, third = (generate_signing_pem() for _ in range(3))
    old = load_sealer(first).seal(Purpose.STREAM_CURSOR, "a")
    rotated = load_sealer(third, second, first)
    assert rotated.open(Purpose.STREAM_CURSOR, old) == "a"
    assert load_sealer(third, second).open(Purpose.STREAM_CURSOR, old) is None
    new = rotated.seal(Purpose.STREAM_CURSOR, "a")
    assert new == load_sealer(third).seal(Purpose.STREAM_CURSOR, "a")
    assert load_sealer(first).open(Purpose.STREAM_CURSOR, new) is None


@pytest.mark.parametrize("settings", [lambda _: Settings(), lambda path: Settings(demo=True, data_dir=path)])
def test_sealer_without_signing_key_is_of_one_process_except_in_a_demo(
    settings: Callable[[Path], Settings], tmp_path: Path
) -> None:
    chosen = settings(tmp_path)
    one, other = TokenSealer.load(chosen), TokenSealer.load(chosen)
    sealed = one.seal(Purpose.SNAPSHOT, "a")
    assert other.open(Purpose.SNAPSHOT, sealed) == ("a" if chosen.demo else None)
