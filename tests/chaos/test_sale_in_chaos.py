"""The short form of `make chaos`: the default script in twenty seconds; and the judge finds what is untrue."""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.services.server import Missing
from tests.chaos import page
from tests.chaos.__main__ import keep, played
from tests.chaos.crowd import Outcome, Rates
from tests.chaos.judge import OPENING_WON, sold_twice
from tests.chaos.plan import DEFAULT, Script
from tests.chaos.sale import Sale
from tests.chaos.timeline import Timeline
from tests.kill.answers import Answers
from tests.kill.books import Books

SECONDS = 20
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def sale() -> Sale:
    script = Script.read(DEFAULT).lasting(SECONDS)
    try:
        return played(script, database="mariadb", seed=1, rates=Rates(rush=30, arrivals=4))
    except Missing as missing:
        pytest.skip(str(missing))


def test_nothing_that_was_answered_is_untrue_and_something_was_sold(sale: Sale) -> None:
    assert sale.verdict.wrong == []
    assert sale.verdict.sold > 0
    assert {Outcome.PAID, Outcome.ANSWERED} <= {one.outcome for one in sale.crowd.seen}


def test_the_picture_shows_every_outage_and_the_table_too(sale: Sale, tmp_path: Path) -> None:
    keep(sale, tmp_path, below="a test")

    drawn = ET.parse(tmp_path / "timeline.svg")  # noqa: S314 -- written just now
    texts = {text.text for text in drawn.iter(f"{SVG}text")}
    told = (tmp_path / "timeline.md").read_text()
    for outage in sale.script.outages:
        assert outage.label in texts
        assert f"| {outage.dependency} | {outage.label} |" in told
    assert {"server 1", "server 2", "relay", "saleService", "Circuit breakers"} <= texts
    assert (tmp_path / "timeline.svg").stat().st_size < 200_000


def test_the_page_in_the_docs_has_a_section_for_each_database(sale: Sale, tmp_path: Path) -> None:
    written, picture = tmp_path / "chaos.md", tmp_path / "chaos.svg"
    written.write_text("# A page\n\n## MariaDB\n\nan old one\n\n## PostgreSQL\n\nanother\n")
    text = page.section("MariaDB", Timeline.of(sale), sale.verdict, below="a test")

    page.write("MariaDB", "drawn", text, page=written, picture=picture)
    page.write("PostgreSQL", "not drawn", "## PostgreSQL\n\na new one\n", page=written, picture=picture)

    assert written.read_text() == f"# A page\n\n{text}\n## PostgreSQL\n\na new one\n"
    assert all(outage.label in text for outage in sale.script.outages)
    assert picture.read_text() == "drawn"


def test_what_is_untrue_and_what_a_machine_spoilt_is_not_kept(sale: Sale) -> None:
    good = dataclasses.replace(sale.verdict, wrong=[], crowd_late_s=0.1)

    assert page.is_worth_keeping(good)
    assert not page.is_worth_keeping(dataclasses.replace(good, wrong=["a seat was sold twice"]))
    assert not page.is_worth_keeping(dataclasses.replace(good, crowd_late_s=page.LATE_S_MAX + 0.1))


def test_control_a_payment_that_was_forgotten_and_a_seat_sold_twice_are_found(sale: Sale) -> None:
    stored = sale.verdict.stored
    answers = Answers(opening_won=OPENING_WON, session_max_ms={"main": 3_600_000})
    answers.take(0, sale.crowd.record)
    # One that was answered: of a payment whose answer an outage has swallowed nobody was told what its order is.
    holds = (hold for memory in answers.memories.values() for hold in memory.holds.values())
    paid = next(hold.id for hold in holds if hold.order is not None)
    other = next(hold_id for hold_id in stored.seats if hold_id != paid)

    forgotten = dataclasses.replace(stored, orders={k: v for k, v in stored.orders.items() if k != paid})
    doubled = dataclasses.replace(
        stored,
        orders={paid: stored.orders[paid], other: stored.orders[paid]},
        seats={**stored.seats, other: stored.seats[paid]},
    )

    assert any("its order is None" in wrong for wrong in Books(answers, forgotten, opening_won=OPENING_WON).wrong())
    assert sold_twice(doubled)
