"""Which STATE may leave, in every order of records, commits and STATE."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_delta.ledger import Ledger


def bookmarks(**streams: object) -> dict[str, object]:
    return {"bookmarks": streams}


def test_state_with_nothing_before_it() -> None:
    """A STATE before any record leaves at once."""
    ledger = Ledger()

    ledger.state(bookmarks(a=1))

    assert ledger.release() == bookmarks(a=1)


def test_state_waits_for_older_records() -> None:
    """A STATE is held while any record received before it is not durable."""
    ledger = Ledger()
    ledger.received("a", 3)
    ledger.received("b", 1)
    ledger.state(bookmarks(a=3, b=1))

    ledger.durable("a", 3)

    assert ledger.release() is None
    ledger.durable("b", 1)
    assert ledger.release() == bookmarks(a=3, b=1)


def test_state_does_not_wait_for_later_records() -> None:
    """Records received after a STATE do not hold it."""
    ledger = Ledger()
    ledger.received("a", 2)
    ledger.state(bookmarks(a=2))
    ledger.received("a", 5)

    ledger.durable("a", 2)

    assert ledger.release() == bookmarks(a=2)


def test_only_the_newest_of_several() -> None:
    """Of several STATEs that may leave, the newest does; the others are its past."""
    ledger = Ledger()
    for upto in (1, 2, 3):
        ledger.received("a", 1)
        ledger.state(bookmarks(a=upto))

    ledger.durable("a", 2)

    assert ledger.release() == bookmarks(a=2)
    assert ledger.waiting


def test_identical_states() -> None:
    """A STATE that was printed is not printed again."""
    ledger = Ledger()
    ledger.state(bookmarks(a=1))
    ledger.release()
    ledger.received("a", 1)
    ledger.state(bookmarks(a=1))

    ledger.durable("a", 1)

    assert ledger.release() is None


def test_held_stream_keeps_its_old_bookmark() -> None:
    """Staged rows are not in the table: the stream's bookmark stays, those of other streams go on."""
    ledger = Ledger()
    ledger.state(bookmarks(full=0, other=0))
    assert ledger.release() == bookmarks(full=0, other=0)
    ledger.hold("full", 7, "full")
    ledger.received("full", 10)
    ledger.received("other", 2)
    ledger.staged("full", 10)
    ledger.durable("other", 2)

    ledger.state(bookmarks(full=10, other=2))

    assert ledger.release() == bookmarks(full=0, other=2)


def test_held_stream_without_an_old_bookmark() -> None:
    """A stream that had no bookmark gets none while its rows are staged."""
    ledger = Ledger()
    ledger.hold("full", 7, "full")
    ledger.received("full", 1)
    ledger.staged("full", 1)
    ledger.received("other", 1)
    ledger.durable("other", 1)

    ledger.state(bookmarks(full=1, other=1))

    assert ledger.release() == bookmarks(other=1)


def test_bookmark_that_names_the_load() -> None:
    """A bookmark that names the version of the load promises only that the rows are part of it, and leaves."""
    ledger = Ledger()
    progress = {"full_load": {"version": 7, "below": 100}}
    ledger.hold("full", 7, "full")
    ledger.received("full", 1)
    ledger.state(bookmarks(full=progress))
    assert ledger.release() is None

    ledger.staged("full", 1)

    assert ledger.release() == bookmarks(full=progress)


def test_bookmark_that_names_another_load() -> None:
    """Progress of another version says nothing about these rows."""
    ledger = Ledger()
    ledger.hold("full", 8, "full")
    ledger.received("full", 1)
    ledger.staged("full", 1)

    ledger.state(bookmarks(full={"full_load": {"version": 7}}, other=1))

    assert ledger.release() == bookmarks(other=1)


def test_state_while_the_load_is_swapped_in() -> None:
    """From the order to swap until the commit, a STATE waits: staged does not count any more."""
    ledger = Ledger()
    ledger.hold("full", 7, "full")
    ledger.received("full", 1)
    ledger.staged("full", 1)
    ledger.swap("full")

    ledger.state(bookmarks(full=1))

    assert ledger.release() is None
    ledger.durable("full", 1)
    ledger.free("full")
    assert ledger.release() == bookmarks(full=1)


def test_bookmark_that_was_kept_back_leaves_after_the_swap() -> None:
    """The bookmark of the last STATE leaves once the load is in the table, without another STATE."""
    ledger = Ledger()
    ledger.hold("full", 7, "full")
    ledger.received("full", 1)
    ledger.staged("full", 1)
    ledger.state(bookmarks(full=1, other=1))
    assert ledger.release() == bookmarks(other=1)

    ledger.durable("full", 1)
    ledger.free("full")

    assert ledger.release() == bookmarks(full=1, other=1)


def test_state_of_another_shape_is_held_whole() -> None:
    """A STATE without bookmarks cannot be taken apart: while a stream is held, the last one stays."""
    ledger = Ledger()
    ledger.state({"position": 1})
    assert ledger.release() == {"position": 1}
    ledger.hold("full", 7, "full")
    ledger.received("full", 1)
    ledger.staged("full", 1)

    ledger.state({"position": 2})

    assert ledger.release() is None


def test_what_left_cannot_be_changed() -> None:
    """The released value is a copy."""
    ledger = Ledger()
    value = bookmarks(a={"x": 1})
    ledger.state(value)

    released = ledger.release()
    value["bookmarks"]["a"]["x"] = 2  # type: ignore[index]

    assert released == bookmarks(a={"x": 1})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("received"), st.sampled_from("abc"), st.integers(1, 5)),
        st.tuples(st.just("commit"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("state"), st.just("a"), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_no_state_before_its_records(steps: list[tuple[str, str, int]]) -> None:
    """In any order of events a STATE leaves only when all records before it are durable, and none that may stays."""
    ledger, received, durable = Ledger(), dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)
    sent: list[dict[str, int]] = []
    left = -1
    for kind, stream, rows in steps:
        if kind == "received":
            received[stream] += rows
            assert ledger.received(stream, rows) == received[stream]
        elif kind == "commit":
            durable[stream] = received[stream]
            ledger.durable(stream, durable[stream])
        else:
            sent.append(dict(received))
            ledger.state({"bookmarks": {"n": len(sent)}})
        released = ledger.release()
        may_leave = [place for place, mark in enumerate(sent) if all(mark[name] <= durable[name] for name in "abc")]
        newest = max(may_leave, default=-1)
        assert released == ({"bookmarks": {"n": newest + 1}} if newest > left else None)
        left = max(left, newest)


def test_a_full_load_without_rows_holds_state_until_its_swap() -> None:
    """A STATE behind a load that emptied the table waits for the swap, although no record was received."""
    ledger = Ledger()
    ledger.state({"bookmarks": {"s": {"n": 1}}})
    ledger.release()
    ledger.hold("s", 1, "s")
    ledger.swap("s")
    ledger.state({"bookmarks": {"s": {"n": 2}}})

    early = ledger.release()
    ledger.free("s")

    assert early is None
    assert ledger.release() == {"bookmarks": {"s": {"n": 2}}}
