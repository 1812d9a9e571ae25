"""The page about the API's origin has a row for every part of it, shown by what is there, and the same in Korean."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = {language: ROOT / "docs" / "reference" / f"origin{language}.md" for language in ("", ".ko")}

ROW = re.compile(r"^\| ([\w.-]+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
NOTHING = "\N{EN DASH}"
LATER = {"": ("next release", "not planned"), ".ko": ("다음 릴리스", "계획도 없습니다")}

SECTIONS = [
    "1",
    "2",
    "2-1",
    "2-2",
    "2-3",
    "2-4",
    "3",
    "4-1",
    "4-2",
    "5-1",
    "5-2",
    "6-1",
    "6-2",
    "6-3",
    "6-4",
    "7-1",
    "7-2",
    "7-3",
    "7-4",
    "8",
    "8-1",
    "8-2",
    "code",
]
PARTS = {
    "1": "token check charge balance schedule seats reserve pay",
    "2-1": "point-most point-token point-resources reason-peak reason-entry reason-whole",
    "2-2": "point-polls point-steady point-resources reason-polling reason-core reason-realtime",
    "2-3": "point-hits point-database point-time reason-cache reason-consistent reason-many",
    "2-4": "point-database point-time point-consistent reason-load reason-consistent reason-slow",
    "3": "performance bottleneck breaker scale",
    "4-2": "compose grafana kafka-ui redis mariadb kafka influxdb zookeeper",
    "6-2": "log data_received data_sent http_req_blocked http_req_connecting http_req_tls_handshaking http_req_sending"
    " http_req_waiting http_req_receiving iteration_duration iterations vus vus_max",
    "6-3": "requests checks failed avg min max med p90 p95 errors",
    "6-4": "stable percentiles throughput errors",
    "7-2": "queueService concertService slidingWindowType slidingWindowSize minimumNumberOfCalls failureRateThreshold"
    " waitDurationInOpenState permittedNumberOfCallsInHalfOpenState recordExceptions ignoreExceptions",
    "7-3": "enterQueue checkQueue periodicallyEnterUserQueue selectConcertList selectConcertSeatList"
    " fallback-enterQueue fallback-checkQueue fallback-periodically fallback-list fallback-seats passed-on",
    "7-4": "isolation recovery resources",
    "8": "dashboard",
    "8-1": "img_2 img_3 img_4 img_5 img_6 img_7",
    "8-2": "times errors availability",
}
"""What the sections list, one by one; the others are told as they come."""


class Row(NamedTuple):
    name: str
    there: str
    here: str
    shown_by: str


def rows_of(language: str) -> Iterator[Row]:
    yield from (Row(*found) for found in ROW.findall(PAGES[language].read_text(encoding="utf-8")) if found[0] != "row")


def test_every_part_of_the_origin_has_its_row() -> None:
    rows = [row.name for row in rows_of("")]

    assert [name for name, count in Counter(rows).items() if count > 1] == []
    assert [*dict.fromkeys(name.partition(".")[0] for name in rows)] == SECTIONS
    for section, parts in PARTS.items():
        assert {f"{section}.{part}" for part in parts.split()} == {
            name for name in rows if name.partition(".")[0] == section
        }


def test_both_pages_have_the_same_rows_shown_by_the_same() -> None:
    here, there = ([(row.name, row.shown_by) for row in rows_of(language) if row.name.isascii()] for language in PAGES)

    assert here == there


@pytest.mark.parametrize("language", PAGES, ids=["en", "ko"])
def test_a_row_is_shown_by_something_or_says_when_it_will_be(language: str) -> None:
    for row in rows_of(language):
        if row.shown_by == NOTHING:
            assert any(word in row.here for word in LATER[language]), row.name
        else:
            shown_by = [each.strip("`") for each in row.shown_by.split(", ")]
            assert [each for each in shown_by if not (ROOT / each).is_file()] == [], row.name
            # A page or a script alone shows nothing: nobody would hear of it if it were not so.
            assert [each for each in shown_by if not each.startswith(("tests/", ".ci/"))] == [], row.name
