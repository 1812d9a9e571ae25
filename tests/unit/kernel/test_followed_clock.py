"""Another machine's clock, from what it said and when it was asked."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from stagedoor.kernel.clock import HOUR_MS, MINUTE_MS, Instant, ManualClock, later
from stagedoor.kernel.followed_clock import UNSURE_MS, FollowedClock, Reading

NOON = Instant(1_800_000_000_000)


def asked(own: ManualClock, followed: FollowedClock, *, ahead_ms: int, there_ms: int = 0, back_ms: int = 0) -> None:
    """Ask a clock that is *ahead_ms* ahead; the question takes *there_ms*, the answer *back_ms*."""
    asked_at = own.now()
    said = later(own.advance(there_ms), ahead_ms)
    followed.read(Reading(asked_at, own.advance(back_ms), said))


def test_before_the_first_reading_it_is_the_machines_own_and_unsure() -> None:
    followed = FollowedClock(ManualClock(NOON))

    assert followed.now() == NOON
    assert followed.off_by_ms == inf
    assert not followed.is_sure


def test_it_goes_by_what_the_other_says() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)

    asked(own, followed, ahead_ms=3_000)
    own.advance(500)

    assert followed.now() == NOON + 3_500
    assert followed.is_sure


def test_the_quickest_answer_is_believed() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)

    asked(own, followed, ahead_ms=1_000, there_ms=2, back_ms=2)
    asked(own, followed, ahead_ms=1_000, there_ms=0, back_ms=400)

    assert followed.now() == own.now() + 1_000


def test_an_answer_that_took_more_than_a_second_leaves_it_unsure() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)

    asked(own, followed, ahead_ms=0, there_ms=UNSURE_MS, back_ms=UNSURE_MS)

    assert not followed.is_sure


def test_it_grows_unsure_when_nobody_answers() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)
    asked(own, followed, ahead_ms=0)

    own.advance(10 * MINUTE_MS)
    assert followed.is_sure
    own.advance(HOUR_MS)

    assert not followed.is_sure


def test_while_it_waits_for_one_that_stepped_back_it_is_unsure() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)
    asked(own, followed, ahead_ms=10 * MINUTE_MS)
    followed.now()

    asked(own, followed, ahead_ms=0)

    assert not followed.is_sure
    own.advance(10 * MINUTE_MS)
    asked(own, followed, ahead_ms=0)
    assert followed.is_sure


def test_it_never_goes_backwards() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)
    asked(own, followed, ahead_ms=5_000)
    before = followed.now()

    asked(own, followed, ahead_ms=0)

    assert followed.now() == before
    own.advance(6_000)
    assert followed.now() == own.now()


def test_a_clock_that_was_moved_is_followed_at_once() -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)
    asked(own, followed, ahead_ms=0)

    asked(own, followed, ahead_ms=60_000, there_ms=50, back_ms=50)

    assert abs(followed.now() - own.now() - 60_000) <= 51


@given(
    st.integers(-HOUR_MS, HOUR_MS),
    st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(0, MINUTE_MS)), min_size=1, max_size=8
    ),
)
def test_it_is_never_further_off_than_it_says(ahead_ms: int, answers: list[tuple[int, int, int]]) -> None:
    own = ManualClock(NOON)
    followed = FollowedClock(own)

    for there_ms, back_ms, pause_ms in answers:
        asked(own, followed, ahead_ms=ahead_ms, there_ms=there_ms, back_ms=back_ms)
        # What it has said before it may not take back.
        own.advance(2 * 2_000 + pause_ms)

        assert abs(followed.now() - (own.now() + ahead_ms)) <= followed.off_by_ms + 1
