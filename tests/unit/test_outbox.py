"""What waits for a slow client: the newest states, everything else in order, and no more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from core.limits import SOCKET_CROWDED_BYTES, SOCKET_EVENTS_BYTES_MAX, SOCKET_WAITING_BYTES_MAX
from subscriptions.socket.outbox import Backlog, Outbox


def _taken(outbox: Outbox) -> list[bytes]:
    taken = []
    while parts := outbox.take():
        taken.append(b"".join(parts))
    return taken


def test_a_newer_state_takes_the_place_of_an_older_one() -> None:
    outbox = Outbox(Backlog())
    outbox.state("a", (b"a1",))
    outbox.state("b", (b"b1",))
    outbox.state("a", (b"a2", b"!"))
    assert (len(outbox), outbox.bytes) == (2, 5)
    assert _taken(outbox) == [b"a2!", b"b1"]
    assert outbox.bytes == 0


def test_events_and_results_keep_their_order_and_control_goes_ahead() -> None:
    outbox = Outbox(Backlog())
    for number in b"123":
        assert outbox.event("a", (bytes([number]),))
    outbox.ordered("b", (b"result",))
    outbox.control(b"pong1")
    outbox.control(b"pong2")
    assert _taken(outbox) == [b"pong1", b"pong2", b"1", b"2", b"3", b"result"]


def test_the_end_of_an_operation_comes_after_its_state() -> None:
    outbox = Outbox(Backlog())
    outbox.state("a", (b"a1",))
    outbox.ordered("a", (b"complete",))
    outbox.state("a", (b"a2",))
    assert _taken(outbox) == [b"a2", b"complete"]


def test_of_what_a_client_has_left_nothing_is_sent() -> None:
    outbox = Outbox(Backlog())
    outbox.state("a", (b"a",))
    outbox.event("a", (b"event",))
    outbox.state("b", (b"b",))
    outbox.control(b"pong")
    outbox.forget("a")
    outbox.forget("nothing")
    assert _taken(outbox) == [b"pong", b"b"]


def test_a_stream_gets_no_more_than_may_wait_and_others_do() -> None:
    outbox = Outbox(Backlog())
    piece = bytes(SOCKET_EVENTS_BYTES_MAX // 2)
    assert [outbox.event("a", (piece,)) for _ in range(3)] == [True, True, False]
    outbox.ordered("a", (b"error",))
    outbox.state("b", (piece,))
    assert _taken(outbox) == [piece, piece, b"error", piece]


def test_it_knows_when_it_is_crowded_and_when_overfull() -> None:
    outbox = Outbox(Backlog())
    outbox.state("a", (bytes(SOCKET_CROWDED_BYTES),))
    assert not outbox.is_crowded
    outbox.state("b", (b"1",))
    assert outbox.is_crowded
    outbox.state("c", (bytes(SOCKET_WAITING_BYTES_MAX - outbox.bytes),))
    assert not outbox.is_overfull
    outbox.control(b"1")
    assert outbox.is_overfull
    outbox.clear()
    assert (len(outbox), outbox.bytes, outbox.is_crowded) == (0, 0, False)


def test_what_waits_on_many_is_counted_once() -> None:
    backlog, payload = Backlog(), bytes(1_000)
    boxes = [Outbox(backlog) for _ in range(10)]
    for number, box in enumerate(boxes):
        box.state("a", (b"head%d" % number, payload))
    assert backlog.bytes == 1_000 + 10 * 5
    for box in boxes[1:]:
        box.clear()
    assert backlog.bytes == 1_005
    boxes[0].state("a", (b"", bytes(7)))
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
def test_it_agrees_with_a_plain_list(steps: list[tuple[str, str, bytes]]) -> None:
    backlog = Backlog()
    outbox = Outbox(backlog)
    control: list[bytes] = []
    model: list[tuple[str, bool, bytes]] = []
    for kind, operation, message in steps:
        if kind == "control":
            outbox.control(message)
            control.append(message)
        elif kind == "ordered":
            outbox.ordered(operation, (message,))
            model.append((operation, False, message))
        elif kind == "state":
            outbox.state(operation, (message,))
            place = next((n for n, (o, state, _) in enumerate(model) if state and o == operation), None)
            model[len(model) if place is None else place : len(model) if place is None else place + 1] = [
                (operation, True, message)
            ]
        elif kind == "forget":
            outbox.forget(operation)
            model = [entry for entry in model if entry[0] != operation]
        else:
            expected = control.pop(0) if control else model.pop(0)[2] if model else None
            assert outbox.take() == (expected and (expected,))
        assert outbox.bytes == 10 * (len(control) + len(model))
        assert backlog.bytes == 10 * len({*control, *(message for _, _, message in model)})
    assert _taken(outbox) == [*control, *(message for _, _, message in model)]
    assert backlog.bytes == 0
