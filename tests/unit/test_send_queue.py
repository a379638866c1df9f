"""The queue for a slow client: the newest states, everything else in order, and a limit on its size."""

from hypothesis import given
from hypothesis import strategies as st

from api.websocket.send_queue import Backlog, SendQueue
from core.limits import SOCKET_BACKPRESSURE_BYTES, SOCKET_EVENTS_BYTES_MAX, SOCKET_UNSENT_BYTES_MAX


def _drain(outbox: SendQueue) -> list[bytes]:
    taken = []
    while message := outbox.take():
        taken.append(b"".join(message))
    return taken


def test_send_queue_newer_state_replaces_the_older_one() -> None:
    outbox = SendQueue(Backlog())
    outbox.put_state("a", (b"a1",))
    outbox.put_state("b", (b"b1",))
    outbox.put_state("a", (b"a2", b"!"))
    assert (len(outbox), outbox.bytes) == (2, 5)
    assert _drain(outbox) == [b"a2!", b"b1"]
    assert outbox.bytes == 0


def test_send_queue_keeps_order_and_sends_control_first() -> None:
    outbox = SendQueue(Backlog())
    for number in b"123":
        assert outbox.put_event("a", (bytes([number]),))
    outbox.put_ordered("b", (b"result",))
    outbox.put_control(b"pong1")
    outbox.put_control(b"pong2")
    assert _drain(outbox) == [b"pong1", b"pong2", b"1", b"2", b"3", b"result"]


def test_send_queue_complete_follows_the_state_of_its_operation() -> None:
    outbox = SendQueue(Backlog())
    outbox.put_state("a", (b"a1",))
    outbox.put_ordered("a", (b"complete",))
    outbox.put_state("a", (b"a2",))
    assert _drain(outbox) == [b"a2", b"complete"]


def test_send_queue_drops_messages_of_forgotten_operation() -> None:
    outbox = SendQueue(Backlog())
    outbox.put_state("a", (b"a",))
    outbox.put_event("a", (b"event",))
    outbox.put_state("b", (b"b",))
    outbox.put_control(b"pong")
    outbox.discard_operation("a")
    outbox.discard_operation("nothing")
    assert _drain(outbox) == [b"pong", b"b"]


def test_send_queue_refuses_events_beyond_the_limit_of_their_stream() -> None:
    outbox = SendQueue(Backlog())
    piece = bytes(SOCKET_EVENTS_BYTES_MAX // 2)
    assert [outbox.put_event("a", (piece,)) for _ in range(3)] == [True, True, False]
    outbox.put_ordered("a", (b"error",))
    outbox.put_state("b", (piece,))
    assert _drain(outbox) == [piece, piece, b"error", piece]


def test_send_queue_reports_backpressure_and_overflow() -> None:
    outbox = SendQueue(Backlog())
    outbox.put_state("a", (bytes(SOCKET_BACKPRESSURE_BYTES),))
    is_full = outbox.needs_backpressure
    assert not is_full
    outbox.put_state("b", (b"1",))
    assert outbox.needs_backpressure
    outbox.put_state("c", (bytes(SOCKET_UNSENT_BYTES_MAX - outbox.bytes),))
    is_over = outbox.exceeds_limit
    assert not is_over
    outbox.put_control(b"1")
    assert outbox.exceeds_limit
    outbox.clear()
    assert (len(outbox), outbox.bytes, outbox.needs_backpressure) == (0, 0, False)


def test_backlog_counts_shared_payload_once() -> None:
    backlog, payload = Backlog(), bytes(1_000)
    boxes = [SendQueue(backlog) for _ in range(10)]
    for number, box in enumerate(boxes):
        box.put_state("a", (b"head%d" % number, payload))
    assert backlog.bytes == 1_000 + 10 * 5
    for box in boxes[1:]:
        box.clear()
    assert backlog.bytes == 1_005
    boxes[0].put_state("a", (b"", bytes(7)))
    assert backlog.bytes == 7
    boxes[0].take()
    assert backlog.bytes == 0


_SHARED = [bytes([number]) * 10 for number in range(3)]
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("state"), st.sampled_from("ab"), st.sampled_from(_SHARED)),
        st.tuples(st.just("ordered"), st.sampled_from("ab"), st.sampled_from(_SHARED)),
        st.tuples(st.just("control"), st.just(""), st.sampled_from(_SHARED)),
        st.tuples(st.sampled_from(["take", "forget"]), st.sampled_from("ab"), st.just(b"")),
    ),
    max_size=30,
)


@given(_STEPS)
def test_send_queue_under_random_steps_agrees_with_a_plain_list(steps: list[tuple[str, str, bytes]]) -> None:
    backlog = Backlog()
    outbox = SendQueue(backlog)
    control: list[bytes] = []
    model: list[tuple[str, bool, bytes]] = []
    for kind, operation, message in steps:
        if kind == "control":
            outbox.put_control(message)
            control.append(message)
        elif kind == "ordered":
            outbox.put_ordered(operation, (message,))
            model.append((operation, False, message))
        elif kind == "state":
            outbox.put_state(operation, (message,))
            position = next((n for n, (o, state, _) in enumerate(model) if state and o == operation), None)
            model[
                len(model) if position is None else position : len(model)
                if position is None
                else position + 1
            ] = [(operation, True, message)]
        elif kind == "forget":
            outbox.discard_operation(operation)
            model = [entry for entry in model if entry[0] != operation]
        else:
            expected = control.pop(0) if control else model.pop(0)[2] if model else None
            assert outbox.take() == (expected and (expected,))
        assert outbox.bytes == 10 * (len(control) + len(model))
        assert backlog.bytes == 10 * len({*control, *(message for _, _, message in model)})
    assert _drain(outbox) == [*control, *(message for _, _, message in model)]
    assert backlog.bytes == 0


def test_send_queue_counts_the_message_that_filled_the_connection() -> None:
    backlog, shared = Backlog(), b"shared" * 100
    first, second = SendQueue(backlog), SendQueue(backlog)
    first.set_in_flight((b"1", shared))
    second.set_in_flight((b"2", shared))
    second.put_state("a", (b"a",))
    assert (first.unsent_bytes, second.unsent_bytes) == (601, 602)
    assert backlog.bytes == 603
    assert (second.bytes, len(second)) == (1, 1)
    first.set_in_flight((b"another",))
    assert backlog.bytes == 7 + 602
    first.set_in_flight(())
    second.clear()
    assert backlog.bytes == first.unsent_bytes == second.unsent_bytes == 0
