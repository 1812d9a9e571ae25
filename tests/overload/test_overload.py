"""The proof in small: what has to hold on any machine, however slow and however busy."""

import re
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import pytest

from scripts.bench.calls import API
from scripts.bench.cores import Cores
from scripts.bench.house import House
from scripts.bench.open_loop import Crowd
from scripts.bench.served import PRODUCT, served
from tests.e2e.harness.server import command
from tests.overload.house import errands_of, house_with
from tests.overload.stall import SETTINGS, Kind, ask_over_a_stall
from tests.proofs.overload import STALLED

CORES = Cores.choose()
ERRANDS = 20_000
SECONDS = 1.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house_with(ERRANDS, tmp_path_factory.mktemp("house") / "house", waiting=200)


def test_whoever_comes_when_too_many_do_is_sold_a_seat_or_put_off(house: House, tmp_path: Path) -> None:
    folder = house.copied_to(tmp_path / "sold")
    # As if nothing could be waited for, so that many are put off on any machine.
    settings = {**house.plan.settings(), "WAIT_TARGET_SECONDS": "0.01"}
    crowd = Crowd(errands_of(house))
    with served(PRODUCT, cores=CORES, settings=settings, log=folder / "server.log") as server:
        peak = crowd.queue(server.port, at_once=64, seconds=SECONDS, cores=CORES)
        # Nobody comes twice: a machine that sells so many that fewer than that are left is asked for no more.
        coming = min(5 * peak.paid, crowd.size)
        tally = crowd.come(server.port, rate=coming / SECONDS, seconds=SECONDS, cores=CORES)

    assert peak.paid > 0
    assert tally.came == coming
    assert tally.refused > 0
    assert tally.failed == {}
    assert tally.refused_to_pay == 0
    # No seat was sold twice and no won is lost, whatever was put off.
    checked = command(folder / "data" / "stagedoor.db", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_while_the_database_says_nothing_every_call_is_answered(house: House, tmp_path: Path) -> None:
    folder = house.copied_to(tmp_path / "stalled")
    settings = {**house.plan.settings(), **SETTINGS, "WAIT_TARGET_SECONDS": "60"}
    with served(STALLED, cores=CORES, settings=settings, log=folder / "server.log") as server:
        found = ask_over_a_stall(house, server, folder, seconds=SECONDS, cores=CORES)
        told_of = calls_of_the_document(server.port)

    assert calls_in([found.polls, *found.kinds]) == told_of
    assert set(found.polls.statuses) == {200}
    assert {kind.name: set(kind.statuses) - {200, 503} for kind in found.kinds} == {
        kind.name: set() for kind in found.kinds
    }
    changes = [kind for kind in found.kinds if kind.name in {"pay", "reserve", "release", "charge", "leave", "join"}]
    assert all(set(kind.statuses) == {503} for kind in changes)


def calls_of_the_document(port: int) -> set[tuple[str, str]]:
    """Return every call of the public API."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/schema/openapi.json")
    paths = msgspec.json.decode(connection.getresponse().read())["paths"]
    connection.close()
    return {(method.upper(), path) for path in paths if path.startswith(API) for method in paths[path]}


def calls_in(kinds: Sequence[Kind]) -> set[tuple[str, str]]:
    """Return which calls the requests of *kinds* are, by the names that the document gives them."""
    heads = [kind.requests[0].decode().split()[:2] for kind in kinds]
    return {(method, re.sub(r"/\d+$", "/{reservationId}", path.partition("?")[0])) for method, path in heads}
