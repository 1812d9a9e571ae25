"""
A sale at 1.5 to 10 times what it can do, and with a database that says nothing.

    python -m tests.proofs.overload [--seconds N] [--errands N] [--times 3 1.5 2 5 10]

The capacity is the most that is paid a second by buyers who come at a constant rate: rates around what a queue of
buyers gets are tried, and the best of them is the peak. A rate lasts so much longer than the calls of an order take
that what is still under way at its end is a small part of it.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from scripts.bench import CONNECTIONS
from scripts.bench.cores import Cores
from scripts.bench.house import House
from scripts.bench.open_loop import CONNECTIONS_MAX, Crowd, Tally, p99
from scripts.bench.served import PRODUCT, served
from tests.overload.house import errands_of, house_with
from tests.overload.stall import CHANGE_S, READ_S, SETTINGS, Findings, ask_over_a_stall

MORE_AT_ONCE = 4 * CONNECTIONS
AROUND = (0.7, 0.8, 0.9, 1.0, 1.1)
"""Of what a queue of buyers gets: more than one of these rates is too much, or none."""

STALL_S = 5.0
CALLERS = 20_000
JUDGED = 3.0
GOODPUT_MIN = 0.85
FAILED_MAX = 0.001
POLLS_MIN = 0.80
DRIVER_SHARE_MAX = 0.90
DRIVER_LATE_S_MAX = 0.1
STALLED: Sequence[str] = ("-m", "tests.overload.stalled", "serve", "--demo", "--port", "0")


def main() -> None:
    """Run both parts; exit 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(description="Prove what happens beyond capacity.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--errands", type=int, default=800_000)
    parser.add_argument("--times", type=float, nargs="+", default=[JUDGED, 1.5, 2.0, 5.0, 10.0])
    arguments = parser.parse_args()
    if JUDGED not in arguments.times:
        parser.error(f"--times has to have {JUDGED:g}, which is judged")
    # What is made in this process is logged, and not part of what is found.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    cores = Cores.choose()
    with TemporaryDirectory() as folder:
        note(f"making a house with {arguments.errands:,} inside")
        house = house_with(arguments.errands, Path(folder) / "house")
        sold = beyond_capacity(house, Path(folder) / "sold", arguments.times, arguments.seconds, cores)
        house = house_with(CALLERS, Path(folder) / "house of callers")
        answered = without_a_database(house, Path(folder) / "stalled", STALL_S, cores)
    sys.exit(0 if sold and answered else 1)


def beyond_capacity(house: House, folder: Path, times: Sequence[float], seconds: float, cores: Cores) -> bool:
    """Find the peak, then let more come than that; print the tables and return whether it is as it has to be."""
    house.copied_to(folder)
    crowd = Crowd(errands_of(house))
    with served(PRODUCT, cores=cores, settings=house.plan.settings(), log=folder / "server.log") as server:

        def in_a_queue(at_once: int) -> float:
            return crowd.queue(server.port, at_once=at_once, seconds=seconds / 4, cores=cores).paid_per_second

        def coming(rate: float, lasting: float) -> Tally:
            return crowd.come(server.port, rate=rate, seconds=lasting, cores=cores)

        crowd.queue(server.port, at_once=CONNECTIONS, seconds=1.0, cores=cores)
        few, many = in_a_queue(CONNECTIONS), in_a_queue(MORE_AT_ONCE)
        note(f"{few:,.0f} orders a second by {CONNECTIONS} at once; what is the most by a constant rate ...")
        around = [coming(share * max(few, many), seconds / 4) for share in AROUND]
        best = max(around, key=lambda tally: tally.paid_per_second)
        # Machines grow slow and quick again, so each rate has the peaks right before it and right after it. The better
        # one counts, and the rate that is judged comes first, while the machine is as it was at the peak.
        peaks, tallies = [best.paid_per_second], list[Tally]()
        for each in times:
            note(f"{each:g} times the peak of {peaks[-1]:,.0f} orders a second ...")
            tallies.append(coming(each * peaks[-1], seconds))
            peaks.append(coming(best.came / best.seconds, seconds / 4).paid_per_second)
    print(
        f"**Beyond capacity.** Arrivals come at a constant rate, each a buyer with a seat of her own who reserves and\n"
        f"pays, whether or not those before her were answered. Paid is what was paid while they came. {cores}.\n\n"
        f"First the capacity: the most that is paid at any rate, for {seconds / 4:g} s each. (Those who come when\n"
        f"another one has been served, as many at once as it says, buy {few:,.0f} a second with {CONNECTIONS} and\n"
        f"{many:,.0f} with {MORE_AT_ONCE}.)\n"
    )
    print("| arrivals a second | paid a second | put off | p99 reserve | p99 pay |\n|--:|--:|--:|--:|--:|")
    for tally in around:
        took = " | ".join(f"{tally.p99_s(name) * 1e3:,.0f} ms" for name in ("reserve", "pay"))
        print(f"| {tally.came / tally.seconds:,.0f} | {tally.paid_per_second:,.0f} | {tally.refused:,} | {took} |")
    print(
        f"\nThen more than that, for {seconds:g} s; the peak before and after each, of which the better counts.\n\n"
        "| times the peak | the peak | arrivals a second | paid a second | of the peak | put off | payments put off |"
        " failed | p99 reserve | p99 pay | p99 put off | driver: CPU, p99 late |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    rates = list(zip(times, pairwise(peaks), tallies, strict=True))
    for each, before_and_after, tally in rates:
        print(row(each, before_and_after, tally))
    print()
    is_enough = all(goodput(tally, peak) >= GOODPUT_MIN for each, peak, tally in rates if each == JUDGED)
    return is_enough and all(map(is_sound, tallies))


def row(times: float, around: tuple[float, float], tally: Tally) -> str:
    """Return one line of the table."""
    share = goodput(tally, around)
    cells = [
        f"{times:g}",
        " and ".join(f"{peak:,.0f}" for peak in around),
        f"{tally.came / tally.seconds:,.0f}",
        f"{tally.paid_per_second:,.0f}",
        f"{share:.0%}" + ("" if share >= GOODPUT_MIN else " (below 85 %)"),
        f"{tally.refused:,}",
        f"{tally.refused_to_pay:,}",
        f"{tally.failed_share:.3%}" + "".join(f"; {why}: {count}" for why, count in tally.failed.items()),
        *(f"{tally.p99_s(name) * 1e3:,.0f} ms" for name in ("reserve", "pay", "put off")),
        f"{tally.driver_share:.0%}, {p99(tally.late_s) * 1e3:,.0f} ms"
        + (f"; {tally.unsent:,} not sent: all {CONNECTIONS_MAX:,} connections wait" if tally.unsent else "")
        + (" **saturated**" if is_driver_late(tally) else ""),
    ]
    return f"| {' | '.join(cells)} |"


def goodput(tally: Tally, around: tuple[float, float]) -> float:
    """Return the orders paid a second as a share of the peak, the better of those *around* it."""
    return tally.paid_per_second / max(around)


def is_sound(tally: Tally) -> bool:
    """Say whether hardly anybody was left without an answer; what a saturated driver lost is not the server's."""
    return tally.failed_share < FAILED_MAX or is_driver_late(tally)


def is_driver_late(tally: Tally) -> bool:
    """Say whether the driver could not keep up with its own rate."""
    return tally.driver_share > DRIVER_SHARE_MAX or p99(tally.late_s) > DRIVER_LATE_S_MAX


def without_a_database(house: House, folder: Path, seconds: float, cores: Cores) -> bool:
    """Stall the database, print what every call was answered, and return whether it is as it has to be."""
    house.copied_to(folder)
    settings = {**house.plan.settings(), **SETTINGS}
    note("a database that says nothing ...")
    with served(STALLED, cores=cores, settings=settings, log=folder / "server.log") as server:
        found = ask_over_a_stall(house, server, folder, seconds=seconds, cores=cores)
    tell(found, seconds)
    in_time = all(kind.is_in_time for kind in [found.polls, *found.kinds])
    return in_time and max(found.share, found.share_by_cpu) >= POLLS_MIN


def tell(found: Findings, seconds: float) -> None:
    """Print the second table."""
    print(
        f"**A database that says nothing** for {seconds:g} s. Polls: {found.healthy:,.0f} a second before,\n"
        f"{found.stalled:,.0f} meanwhile, {found.share:.0%}; by processor time {found.share_by_cpu:.0%}\n"
        f"({found.healthy_cpu_us:.0f} and {found.stalled_cpu_us:.0f} us a poll, all else that was asked counted in).\n"
        f"Deadlines: {CHANGE_S:g} s for changes, {READ_S:g} s for reads; the breakers are as by default.\n"
    )
    print("| call | answers | by status | p99 | deadline + 50 ms |\n|---|--:|---|--:|---|")
    for kind in [found.polls, *found.kinds]:
        statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(kind.statuses.items()))
        verdict = "kept" if kind.is_in_time else "**missed**"
        print(f"| {kind.name} | {len(kind.took_s):,} | {statuses} | {kind.p99_s * 1e3:,.0f} ms | {verdict} |")
    print()


def note(sentence: str) -> None:
    """Tell whoever waits what goes on."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
