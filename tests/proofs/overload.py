"""
A sale at 1.5 to 10 times what it can do, and with a database that says nothing.

    python -m tests.proofs.overload [--seconds N] [--errands N] [--times 1.5 2 3 5 10]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench.cores import Cores
from scripts.bench.house import House
from scripts.bench.open_loop import Crowd, Tally, p99
from scripts.bench.served import PRODUCT, served
from tests.overload.house import errands_of, house_with
from tests.overload.stall import CHANGE_S, READ_S, SETTINGS, Findings, ask_over_a_stall

AT_ONCE = 256
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
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--errands", type=int, default=190_000)
    parser.add_argument("--times", type=float, nargs="+", default=[1.5, 2.0, JUDGED, 5.0, 10.0])
    arguments = parser.parse_args()
    cores = Cores.choose()
    with TemporaryDirectory() as folder:
        note(f"making a house with {arguments.errands:,} inside")
        house = house_with(arguments.errands, Path(folder) / "house")
        sold = beyond_capacity(house, Path(folder) / "sold", arguments.times, arguments.seconds, cores)
        answered = without_a_database(house, Path(folder) / "stalled", arguments.seconds, cores)
    sys.exit(0 if sold and answered else 1)


def beyond_capacity(house: House, folder: Path, times: Sequence[float], seconds: float, cores: Cores) -> bool:
    """Find the peak, then let more come than that; print the table and return whether it is as it has to be."""
    house.copied_to(folder)
    crowd = Crowd(errands_of(house))
    with served(PRODUCT, cores=cores, settings=house.plan.settings(), log=folder / "server.log") as server:
        crowd.queue(server.port, at_once=AT_ONCE, seconds=1.0, cores=cores)
        note("the peak ...")
        peak = crowd.queue(server.port, at_once=AT_ONCE, seconds=seconds, cores=cores)
        tallies = []
        for each in times:
            note(f"{each:g} times the peak of {peak.paid_per_second:,.0f} orders a second ...")
            tallies.append(crowd.come(server.port, rate=each * peak.paid_per_second, seconds=seconds, cores=cores))
    print(
        f"**Beyond capacity.** {AT_ONCE} buyers at once, each as soon as another one has, buy\n"
        f"{peak.paid_per_second:,.0f} orders a second (reserve and pay): the peak. Then arrivals come at a\n"
        f"constant rate for {seconds:g} s, each a buyer with a seat of her own, whether or not those before\n"
        f"her were answered. Paid is what was paid while they came. {cores}.\n"
    )
    print(
        "| times the peak | arrivals a second | paid a second | of the peak | put off | payments put off | failed |"
        " p99 reserve | p99 pay | p99 put off | driver: CPU, p99 late |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for each, tally in zip(times, tallies, strict=True):
        print(row(each, tally, peak))
    print()
    return all(map(is_sound, tallies)) and all(
        goodput(tally, peak) >= GOODPUT_MIN for each, tally in zip(times, tallies, strict=True) if each == JUDGED
    )


def row(times: float, tally: Tally, peak: Tally) -> str:
    """Return one line of the table."""
    cells = [
        f"{times:g}",
        f"{tally.came / tally.seconds:,.0f}",
        f"{tally.paid_per_second:,.0f}",
        f"{goodput(tally, peak):.0%}" + ("" if goodput(tally, peak) >= GOODPUT_MIN else " (below 85 %)"),
        f"{tally.refused:,}",
        f"{tally.refused_to_pay:,}",
        f"{tally.failed_share:.3%}" + "".join(f"; {why}: {count}" for why, count in tally.failed.items()),
        *(f"{tally.p99_s(name) * 1e3:,.0f} ms" for name in ("reserve", "pay", "put off")),
        f"{tally.driver_share:.0%}, {p99(tally.late_s) * 1e3:,.0f} ms"
        + (" **saturated**" if is_driver_late(tally) else ""),
    ]
    return f"| {' | '.join(cells)} |"


def goodput(tally: Tally, peak: Tally) -> float:
    """Return the orders paid a second as a share of the peak."""
    return tally.paid_per_second / peak.paid_per_second


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
