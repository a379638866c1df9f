"""New ids: UUIDv7, unlike one another, and in the order of time."""

import re
import time
import uuid

from core.clock import now_ms
from core.ids import generate_id

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_new_id_is_uuid7() -> None:
    for _ in range(1_000):
        made = generate_id()
        assert UUID7.fullmatch(made)
        assert uuid.UUID(made).variant == uuid.RFC_4122


def test_new_id_begins_with_its_millisecond() -> None:
    before = now_ms()
    made = uuid.UUID(generate_id()).int >> 80
    assert before <= made <= now_ms()


def test_new_id_later_is_greater_as_text() -> None:
    made = []
    for _ in range(5):
        made.append(generate_id())
        time.sleep(0.002)
    assert made == sorted(made)


def test_new_id_within_one_millisecond_is_unique() -> None:
    assert len({generate_id() for _ in range(10_000)}) == 10_000
