"""
A sale at 1.5 to 10 times what it can do, and with a database that says nothing.

    python -m tests.proofs.overload [--seconds N] [--rounds N] [--errands N] [--times 1.5 2 5 10]

The capacity is the most that is paid a second by buyers who come at a constant rate: rates around what a queue of
buyers gets are tried, and the best of them is where it begins. Before and after all that comes beyond it two rates near
it are tried anew, for a machine grows slow and quick again; the peak is what is paid at the one of them at which more
is paid over the whole run. (The better of two tries, each time, would be the luckier one.) What is paid in the first
second, in which the first are still on their way and the server finds out how many are too many, does not count.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import structlog

from scripts.bench import CONNECTIONS
from scripts.bench.cores import Cores
from scripts.bench.house import House
from scripts.bench.open_loop import CONNECTIONS_MAX, Crowd, Tally, p99
from scripts.bench.served import PRODUCT, served
from tests.overload.house import errands_of, house_with
from tests.overload.stall import SETTINGS, ask_over_a_stall
from tests.proofs._stalls import STALLS, report_stalls

MORE_AT_ONCE = 4 * CONNECTIONS
AROUND = (0.7, 0.8, 0.9, 1.0, 1.1)
"""Of what a queue of buyers gets: more than one of these rates is too much, or none."""

NEAR = (1.0, 1.25)
"""Of the most that was paid just before: a machine that has grown quicker sells more at the second."""

WARM_UP_S = 1.0
STALL_S = 5.0
CALLERS = 20_000
JUDGED = 3.0
GOODPUT_MIN = 0.85
FAILED_MAX = 0.001
DRIVER_SHARE_MAX = 0.90
DRIVER_LATE_S_MAX = 0.1
STALLED: Sequence[str] = ("-m", "tests.overload.stalled", "serve", "--demo", "--port", "0")


def main() -> None:
    """Run both parts; exit 1 if one of them does not hold."""
    parser = argparse.ArgumentParser(description="Prove what happens beyond capacity.")
    parser.add_argument("--seconds", type=float, default=8.0, help="each rate lasts so long (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="so often what is judged is tried (default: %(default)s)")
    parser.add_argument("--errands", type=int, default=800_000)
    parser.add_argument("--times", type=float, nargs="*", default=[1.5, 2.0, 5.0, 10.0], help="tried once, beside 3")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds has to be 1 or more: three times the peak is judged")
    # What is made in this process is logged, and not part of what is found.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    cores = Cores.choose()
    times = [JUDGED] * arguments.rounds + arguments.times
    with TemporaryDirectory() as folder:
        note(f"making a house with {arguments.errands:,} inside")
        house = house_with(arguments.errands, Path(folder) / "house")
        sold = beyond_capacity(house, Path(folder) / "sold", times, arguments.seconds, cores)
        house = house_with(CALLERS, Path(folder) / "house of callers")
        answered = without_a_database(house, Path(folder) / "stalled", STALL_S, cores)
    sys.exit(0 if sold and answered else 1)


def beyond_capacity(house: House, folder: Path, times: Sequence[float], seconds: float, cores: Cores) -> bool:
    """Find the peak, then let more come than that; print the tables and return whether it is as it has to be."""
    house.copied_to(folder)
    crowd = Crowd(errands_of(house))
    with served(PRODUCT, cores=cores, settings=house.plan.settings(), log=folder / "server.log") as server:

        def in_a_queue(at_once: int) -> float:
            return crowd.queue(server.port, at_once=at_once, seconds=seconds / 2, cores=cores).paid_per_second

        def coming(rate: float, lasting: float = seconds) -> Tally:
            return crowd.come(server.port, rate=rate, seconds=lasting, cores=cores, warm_up_s=WARM_UP_S)

        crowd.queue(server.port, at_once=CONNECTIONS, seconds=1.0, cores=cores)
        few, many = in_a_queue(CONNECTIONS), in_a_queue(MORE_AT_ONCE)
        note(f"{few:,.0f} orders a second by {CONNECTIONS} at once; what is the most by a constant rate ...")
        around = [coming(share * max(few, many), seconds / 2) for share in AROUND]

        def near(tried: Sequence[Tally]) -> Sequence[Tally]:
            most = max(tally.paid_per_second for tally in tried)
            return [coming(share * most, seconds / 2) for share in NEAR]

        turns, tallies = [near(around)], list[Tally]()
        for each in times:
            most = max(tally.paid_per_second for tally in turns[-1])
            note(f"{each:g} times {most:,.0f} orders a second ...")
            tallies.append(coming(each * most))
            turns.append(near(turns[-1]))
    share, peaks = peaks_of(turns)
    print(
        f"**Beyond capacity.** Arrivals come at a constant rate, each a buyer with a seat of her own who reserves and\n"
        f"pays, whether or not those before her were answered. Paid is what was paid while they came, from the second\n"
        f"second on. {cores}.\n\n"
        f"First the capacity: the most that is paid at any rate, for {seconds / 2:g} s each. (Those who come when\n"
        f"another one has been served, as many at once as it says, buy {few:,.0f} a second with {CONNECTIONS} and\n"
        f"{many:,.0f} with {MORE_AT_ONCE}.)\n"
    )
    tell_capacity(around)
    print(
        f"\nThen more than that, for {seconds:g} s, and before and after each the peak anew, for {seconds / 2:g} s: "
        f"{share:g} times the most\nthat was paid just before, which of {' and '.join(f'{one:g}' for one in NEAR)} "
        f"paid more over the whole run. A rate is compared with the mean\nof its two peaks.\n"
    )
    return report_rates(list(zip(times, pairwise(peaks), tallies, strict=True))) and all(
        map(is_sound, [*chain(*turns), *tallies])
    )


def tell_capacity(around: Sequence[Tally]) -> None:
    """Print the first table."""
    print("| arrivals a second | paid a second | put off | p99 reserve | p99 pay |\n|--:|--:|--:|--:|--:|")
    for tally in around:
        took = " | ".join(f"{tally.p99_s(name) * 1e3:,.0f} ms" for name in ("reserve", "pay"))
        print(f"| {tally.came_per_second:,.0f} | {tally.paid_per_second:,.0f} | {tally.refused:,} | {took} |")


def peaks_of(turns: Sequence[Sequence[Tally]]) -> tuple[float, Sequence[float]]:
    """Return at which part of what was paid before, of `NEAR`, most is paid, and what was paid at it in each turn."""
    paid = [[tally.paid_per_second for tally in tried] for tried in zip(*turns, strict=True)]
    peaks = max(paid, key=median)
    return NEAR[paid.index(peaks)], peaks


def report_rates(rates: Sequence[tuple[float, tuple[float, float], Tally]]) -> bool:
    """Print what was paid at each rate and between which peaks; return whether it is enough at the one judged."""
    print(
        "| times the peak | the peak | arrivals a second | paid a second | of the peak | put off | payments put off |"
        " failed | p99 reserve | p99 pay | p99 put off | driver: CPU, p99 late |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for rate in rates:
        print(row(*rate))
    judged = sorted(goodput(tally, around) for times, around, tally in rates if times == JUDGED)
    share = median(judged)
    verdict = f"the goal is {GOODPUT_MIN:.0%}" + ("" if share >= GOODPUT_MIN else ", **missed**")
    print(
        f"\nAt {JUDGED:g} times the peak {share:.0%} of it are paid: the median of {len(judged)}, from {judged[0]:.0%} "
        f"to {judged[-1]:.0%}; {verdict}.\n"
    )
    return share >= GOODPUT_MIN


def row(times: float, around: tuple[float, float], tally: Tally) -> str:
    """Return one line of the table."""
    cells = [
        f"{times:g}",
        " and ".join(f"{peak:,.0f}" for peak in around),
        f"{tally.came_per_second:,.0f}",
        f"{tally.paid_per_second:,.0f}",
        f"{goodput(tally, around):.0%}",
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
    """Return the orders paid a second as a share of the peak, the mean of those *around* it."""
    return tally.paid_per_second / fmean(around)


def is_sound(tally: Tally) -> bool:
    """Say whether hardly anybody was left without an answer; what a saturated driver lost is not the server's."""
    return tally.failed_share < FAILED_MAX or is_driver_late(tally)


def is_driver_late(tally: Tally) -> bool:
    """Say whether the driver could not keep up with its own rate."""
    return tally.driver_share > DRIVER_SHARE_MAX or p99(tally.late_s) > DRIVER_LATE_S_MAX


def without_a_database(house: House, folder: Path, seconds: float, cores: Cores) -> bool:
    """Stall the databases of a few servers, print what calls were answered; return whether it is as it has to be."""
    settings = {**house.plan.settings(), **SETTINGS}
    note("a database that says nothing ...")
    found = []
    for nth in range(STALLS):
        here = house.copied_to(folder / str(nth))
        with served(STALLED, cores=cores, settings=settings, log=here / "server.log") as server:
            found.append(ask_over_a_stall(house, server, here, seconds=seconds, cores=cores))
    return report_stalls(found, seconds)


def note(sentence: str) -> None:
    """Tell whoever waits what goes on."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
