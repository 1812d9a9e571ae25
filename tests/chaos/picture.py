"""The timeline of a sale as a picture: panels over one axis of time, with every outage shaded through all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, log10

from tests.chaos.crowd import Outcome
from tests.chaos.drawing import Drawing, Point
from tests.chaos.plan import Dependency
from tests.chaos.timeline import Second, Timeline, quantile

WIDTH, LEFT, RIGHT, TOP = 1200.0, 168.0, 24.0, 74.0
LANE, HEAD, GAP, ROW = 20.0, 24.0, 18.0, 15.0
CALLS_HEIGHT, POLLS_HEIGHT, LATENCY_HEIGHT, ADMITTED_HEIGHT = 180.0, 60.0, 150.0, 90.0
PAUSED_HEIGHT, PAUSED_BELOW = 9.0, 9.0
FASTEST_S, SLOWEST_S = 0.001, 10.0
TICKS_MAX = 16
TICK_HEIGHT_MIN = 28.0
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
LETTER = 6.1
"""About the width of one, to keep a label from running into what is beside it."""

STACKED = {
    Outcome.PAID: "paid",
    Outcome.ANSWERED: "answered",
    Outcome.REFUSED: "refused",
    Outcome.PUT_OFF: "putoff",
    Outcome.FAILED: "failed",
}
STATES = {"closed": "closed", "open": "open", "half_open": "half open", "forced": "disabled or forced"}
LANES = {Dependency.DATABASE: "database", Dependency.REDIS: "Redis", Dependency.KAFKA: "Kafka"}


@dataclass(frozen=True, slots=True)
class Paper:
    """A drawing, and where a second of the sale is on it."""

    drawing: Drawing
    length_s: float

    @property
    def width(self) -> float:
        """How wide the panels are."""
        return WIDTH - LEFT - RIGHT

    def x(self, at_s: float) -> float:
        """Return where that second is."""
        return LEFT + self.width * at_s / self.length_s

    def head(self, y: float, title: str, keys: Sequence[tuple[str, str]]) -> None:
        """Write what a panel shows, and at its right what each colour means."""
        self.drawing.text(LEFT, y - 8, title, "head")
        x = WIDTH - RIGHT
        for look, name in reversed(keys):
            x -= LETTER * len(name)
            self.drawing.text(x, y - 8, name, "small quiet")
            x -= 16
            if look in {"p50", "p99", "polls", "line"}:
                self.drawing.rule((x, y - 12), (x + 12, y - 12), look)
            else:
                self.drawing.box(x + 2, y - 17, 10, 10, look, radius=2)
            x -= 12


def picture(timeline: Timeline, *, title: str, below: str) -> str:
    """Return the SVG; *below* is a line under the title."""
    rows = list(timeline.breakers)
    lanes_height = LANE * len(LANES)
    calls_y = TOP + lanes_height + GAP + HEAD
    polls_y = calls_y + CALLS_HEIGHT + GAP + HEAD
    latency_y = polls_y + POLLS_HEIGHT + GAP + HEAD
    admitted_y = latency_y + LATENCY_HEIGHT + GAP + HEAD
    breakers_y = admitted_y + ADMITTED_HEIGHT + PAUSED_BELOW + PAUSED_HEIGHT + GAP + HEAD
    breakers_height = ROW * len(rows) + 6 * (len({process for process, _ in rows}) - 1)
    bottom = breakers_y + breakers_height
    drawing = Drawing(WIDTH, bottom + 48, title=title, described=below)
    paper = Paper(drawing, float(timeline.length_s))
    drawing.text(24, 34, title, "title")
    drawing.text(24, 55, below, "quiet")
    _lanes(paper, timeline)
    for y, height in (
        (calls_y, CALLS_HEIGHT),
        (polls_y, POLLS_HEIGHT),
        (latency_y, LATENCY_HEIGHT),
        (admitted_y, ADMITTED_HEIGHT),
    ):
        drawing.box(LEFT, y, paper.width, height, "panel")
    _bands(paper, timeline, bottom)
    keys = [(look, outcome.value) for outcome, look in STACKED.items()]
    paper.head(calls_y, "Calls a second, but for polls", keys)
    _stacked(paper, [second.outcomes for second in timeline.seconds], calls_y, CALLS_HEIGHT)
    paper.head(polls_y, "Polls a second", ())
    _stacked(paper, [second.polls for second in timeline.seconds], polls_y, POLLS_HEIGHT)
    _latency(paper, timeline.seconds, latency_y)
    _admitted(paper, timeline, admitted_y)
    _breakers(paper, timeline, breakers_y)
    _axis(paper, TOP, bottom)
    return drawing.finished()


def _lanes(paper: Paper, timeline: Timeline) -> None:
    """Show at the top what was wrong with which dependency; a label that does not fit stands beside its bar."""
    for nth, (dependency, name) in enumerate(LANES.items()):
        y = TOP + LANE * nth
        paper.drawing.text(LEFT - 8, y + 14, name, "end")
        paper.drawing.rule((LEFT, y + LANE / 2), (LEFT + paper.width, y + LANE / 2), "soft")
        for outage in timeline.outages:
            if outage.dependency is not dependency:
                continue
            x, width = paper.x(outage.at_s), paper.x(outage.until_s) - paper.x(outage.at_s)
            paper.drawing.box(x, y + 2, width, LANE - 4, dependency.value, said=outage.label, radius=3)
            if LETTER * len(outage.label) + 8 <= width:
                paper.drawing.text(x + 6, y + 14, outage.label, "small on")
            else:
                paper.drawing.box(x + width + 2, y + 2, LETTER * len(outage.label) + 6, LANE - 4, "page")
                paper.drawing.text(x + width + 5, y + 14, outage.label, "small")


def _bands(paper: Paper, timeline: Timeline, bottom: float) -> None:
    for outage in timeline.outages:
        x, width = paper.x(outage.at_s), paper.x(outage.until_s) - paper.x(outage.at_s)
        paper.drawing.box(x, TOP, width, bottom - TOP, f"{outage.dependency.value} band")


def _scale(highest: float, *, ticks: float) -> tuple[float, list[tuple[float, str]]]:
    """Return the top of an axis that begins at nothing, and at most so many ticks."""
    decade = 10.0 ** floor(log10(max(highest, 1.0)))
    step = next(part * decade for part in STEPS if highest / (part * decade) <= ticks)
    steps = max(1, ceil(highest / step))
    return step * steps, [(nth / steps, f"{step * nth:g}") for nth in range(steps + 1)]


def _stacked(paper: Paper, seconds: Sequence[Mapping[Outcome, int]], y: float, height: float) -> None:
    """Stack what came of the requests of each second, the best at the bottom."""
    top, ticks = _scale(max((sum(second.values()) for second in seconds), default=1), ticks=height / TICK_HEIGHT_MIN)
    _ticks(paper, y, height, ticks)
    width = paper.width / paper.length_s
    filled = [0.0] * len(seconds)
    for outcome, look in STACKED.items():
        boxes = []
        for number, second in enumerate(seconds):
            part = height * second.get(outcome, 0) / top
            filled[number] += part
            boxes.append((paper.x(number), y + height - filled[number], width - 0.6, part))
        paper.drawing.bars(boxes, look)


def _ticks(paper: Paper, y: float, height: float, ticks: Sequence[tuple[float, str]]) -> None:
    for share, label in ticks:
        at = y + height * (1 - share)
        paper.drawing.rule((LEFT, at), (LEFT + paper.width, at), "soft")
        paper.drawing.text(LEFT - 8, at + 4, label, "small quiet end")


def _latency(paper: Paper, seconds: Sequence[Second], y: float) -> None:
    keys = [("p99", "changes, p99"), ("p50", "changes, p50"), ("polls", "polls, p99")]
    paper.head(y, "How long they took", keys)
    decades = log10(SLOWEST_S / FASTEST_S)
    ticks = [(nth / decades, label) for nth, label in enumerate(("1 ms", "10 ms", "100 ms", "1 s", "10 s"))]
    _ticks(paper, y, LATENCY_HEIGHT, ticks)

    def height_of(took_s: float) -> float:
        share = log10(min(SLOWEST_S, max(FASTEST_S, took_s)) / FASTEST_S) / decades
        return y + LATENCY_HEIGHT * (1 - share)

    def curve(look: str, figure: Callable[[Second], float | None]) -> None:
        points = [(paper.x(second.number + 0.5), figure(second)) for second in seconds]
        paper.drawing.curve(
            ([(x, height_of(value)) for x, value in piece if value is not None] for piece in _pieces(points)), look
        )

    curve("polls", lambda second: quantile(second.polls_s, 0.99))
    curve("p50", lambda second: quantile(second.changes_s, 0.5))
    curve("p99", lambda second: quantile(second.changes_s, 0.99))


def _pieces(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float | None]]]:
    return [list(piece) for there, piece in groupby(points, key=lambda point: point[1] is not None) if there]


def _admitted(paper: Paper, timeline: Timeline, y: float) -> None:
    seconds = timeline.seconds
    longest = max((second.waiting or 0 for second in seconds), default=0)
    waiting = f"waiting, to a scale of its own (at most {longest})"
    keys = [("let", "let in a second"), ("line", waiting), ("paused", "admission paused")]
    paper.head(y, "The line", keys)
    top, ticks = _scale(
        max((second.admitted for second in seconds), default=1), ticks=ADMITTED_HEIGHT / TICK_HEIGHT_MIN
    )
    _ticks(paper, y, ADMITTED_HEIGHT, ticks)
    width = paper.width / paper.length_s
    paper.drawing.bars(
        (
            (
                paper.x(second.number),
                y + ADMITTED_HEIGHT * (1 - second.admitted / top),
                width - 0.6,
                ADMITTED_HEIGHT * second.admitted / top,
            )
            for second in seconds
        ),
        "let",
    )
    points: list[tuple[float, float | None]] = [
        (
            paper.x(second.number + 0.5),
            None if second.waiting is None else y + ADMITTED_HEIGHT * (1 - second.waiting / max(1, longest)),
        )
        for second in seconds
    ]
    pieces: list[list[Point]] = [[(x, at) for x, at in piece if at is not None] for piece in _pieces(points)]
    paper.drawing.curve(pieces, "line")
    paused_y = y + ADMITTED_HEIGHT + PAUSED_BELOW
    paper.drawing.text(LEFT - 8, paused_y + PAUSED_HEIGHT - 1, "paused", "small quiet end")
    for span in timeline.paused:
        x = paper.x(span.from_s)
        paper.drawing.box(x, paused_y, paper.x(span.to_s) - x, PAUSED_HEIGHT, "paused", said=f"paused: {span.what}")


def _breakers(paper: Paper, timeline: Timeline, y: float) -> None:
    states = {span.what for spans in timeline.breakers.values() for span in spans}
    keys = [(look, name) for look, name in STATES.items() if look in states or look != "forced"]
    paper.head(y, "Circuit breakers", keys)
    at, before = y, ""
    for (process, name), spans in timeline.breakers.items():
        if before and process != before:
            at += 6
        if process != before:
            paper.drawing.text(24, at + 11, process, "small head")
        before = process
        paper.drawing.text(LEFT - 8, at + 11, name, "small quiet end")
        for span in spans:
            x = paper.x(span.from_s)
            look = span.what if span.what in STATES else "forced"
            said = f"{process}, {name}: {span.what} from {span.from_s:.1f} s to {span.to_s:.1f} s"
            paper.drawing.box(x, at + 2, max(0.8, paper.x(span.to_s) - x), ROW - 4, look, said=said)
        at += ROW


def _axis(paper: Paper, top: float, bottom: float) -> None:
    step = next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if paper.length_s / step <= TICKS_MAX)
    for second in range(0, int(paper.length_s) + 1, step):
        paper.drawing.rule((paper.x(second), bottom), (paper.x(second), bottom + 5))
        paper.drawing.text(paper.x(second), bottom + 18, f"{second}", "small quiet mid")
    paper.drawing.rule((LEFT, bottom), (LEFT + paper.width, bottom))
    paper.drawing.text(LEFT + paper.width / 2, bottom + 36, "seconds after the opening", "small quiet mid")
    paper.drawing.rule((LEFT, top), (LEFT, bottom))
