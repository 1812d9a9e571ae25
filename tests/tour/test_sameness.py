"""What counts as shown, and that a page which shows something else is caught."""

from pathlib import Path

import pytest

from tests.tour.pages import Step, steps_of
from tests.tour.sameness import is_shown
from tests.tour.terminal import Reader
from tests.tour.test_pages import take

PAGE = """
```sh
make run
```

```text
Stagedoor is ready
```

<!-- not typed: it takes an hour -->
```sh
make proof
```

```text
It holds.
```

```sh
echo one
```

Words between.

```json
one
```
"""


@pytest.mark.parametrize(
    ("printed", "came"),
    [
        ("one\ntwo", "one\ntwo\n"),
        ('{"paidAt":"2026-11-23T13:46:29.129Z"}', '{"paidAt":"2030-01-01T00:00:00.000Z"}'),
        ('{"expiresInSeconds":598}', '{"expiresInSeconds":600}'),
        ("All 21 invariants hold.", "All 23 invariants hold."),
        ("begins … ends", "begins anything ends"),
        ("first\n…\nlast", "first\n1\n2\nlast"),
    ],
)
def test_what_differs_in_every_run_may_differ(printed: str, came: str) -> None:
    assert is_shown(printed, came)


@pytest.mark.parametrize(
    ("printed", "came"),
    [
        ("one", "one\ntwo"),
        ('{"amount":350000}', '{"amount":300000}'),
        ('{"queuePosition":1}', '{"queuePosition":2}'),
        ("begins … ends", "begins\nends"),
        ("All 21 invariants hold.", "1 of 21 invariants does not hold."),
    ],
)
def test_anything_else_may_not(printed: str, came: str) -> None:
    assert not is_shown(printed, came)


def test_a_page_is_read_as_it_is_meant(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)

    start, echo = steps_of(page)

    assert start == Step(line=2, typed="make run\n", printed="Stagedoor is ready\n")
    assert echo == Step(line=19, typed="echo one\n", printed="one\n")
    assert start.starts_a_server
    assert not echo.starts_a_server


@pytest.mark.parametrize("typed", ["make run", "STAGEDOOR_MAX_ACTIVE=2 make run", "stagedoor serve --port 9000"])
def test_a_server_in_the_foreground_is_known_as_one(typed: str) -> None:
    assert Step(line=1, typed=typed).starts_a_server


@pytest.mark.parametrize("typed", ["make test", "stagedoor serve --help | head -n 1", "stagedoor key create x"])
def test_anything_else_is_typed_into_the_shell(typed: str) -> None:
    assert not Step(line=1, typed=typed).starts_a_server


@pytest.mark.parametrize(
    "step",
    [Step(line=1, typed="echo one\n", printed="two\n"), Step(line=1, typed="no-such-program-is-here\n")],
    ids=["something else came", "it failed"],
)
def test_a_page_that_is_wrong_is_caught(step: Step, tmp_path: Path) -> None:
    with Reader(tmp_path) as reader, pytest.raises(AssertionError):
        take(step, reader)
