"""How long a call is waited for, read from its headers."""

import pytest

from stagedoor.http.deadlines import HEADER, Deadlines
from stagedoor.http.rejections import Unreadable
from stagedoor.resilience.deadline import Deadline

NOW = 100.0
OURS = Deadlines(change_s=10.0, read_s=5.0)


@pytest.mark.parametrize(("changes", "ours_s"), [(True, 10.0), (False, 5.0)])
@pytest.mark.parametrize("headers", [[], [(HEADER, b"86400000")]], ids=["not said", "longer than ours"])
def test_ours_goes_by_what_the_call_does(
    headers: list[tuple[bytes, bytes]],
    changes: bool,  # noqa: FBT001 -- a parameter of the test
    ours_s: float,
) -> None:
    assert OURS.of(headers, NOW, changes=changes) == Deadline(NOW + ours_s, ours_s=ours_s)


@pytest.mark.parametrize(("changes", "ours_s"), [(True, 10.0), (False, 5.0)])
def test_hers_is_earlier_and_says_how_long_we_would_wait(
    changes: bool,  # noqa: FBT001 -- a parameter of the test
    ours_s: float,
) -> None:
    hers = OURS.of([(b"host", b"x"), (HEADER, b"800")], NOW, changes=changes)

    assert hers == Deadline(NOW + 0.8, is_callers=True, ours_s=ours_s)
    assert hers.anew(NOW + 3) == Deadline(NOW + 3 + ours_s, ours_s=ours_s)


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"1.5", b"soon", b"1234567890"])
def test_what_is_no_deadline_is_refused(value: bytes) -> None:
    with pytest.raises(Unreadable):
        OURS.of([(HEADER, value)], NOW, changes=True)
