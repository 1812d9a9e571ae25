"""Just enough SVG: elements as text, numbers without needless digits, one style for light and for dark pages."""

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
LIGHT = {
    ".page": "fill: #ffffff",
    ".panel": "fill: #f6f8fa",
    ".rule": "stroke: #d0d7de",
    ".soft": "stroke: #e4e8ec",
    "text": "fill: #1f2328",
    ".quiet": "fill: #59636e",
    ".on": "fill: #ffffff",
    ".band": "opacity: 0.11",
    ".database": "fill: #0969da",
    ".redis": "fill: #bc4c00",
    ".kafka": "fill: #8250df",
    ".paid, .let": "fill: #1a7f37",
    ".answered": "fill: #b6c2cf",
    ".refused": "fill: #6f7fd8",
    ".putoff, .half_open, .paused": "fill: #f0a92c",
    ".failed, .open": "fill: #cf222e",
    ".closed": "fill: #a9d8b8",
    ".forced": "fill: #6e7781",
    ".p99": "stroke: #0969da",
    ".p50": "stroke: #54aeff",
    ".polls": "stroke: #8c959f",
    ".line": "stroke: #57606a",
}
DARK = {
    ".page": "fill: #0d1117",
    ".panel": "fill: #151b23",
    ".rule": "stroke: #3d444d",
    ".soft": "stroke: #262c36",
    "text": "fill: #e6edf3",
    ".quiet": "fill: #9198a1",
    ".on": "fill: #ffffff",
    ".band": "opacity: 0.2",
    ".database": "fill: #1f6feb",
    ".redis": "fill: #bd561d",
    ".kafka": "fill: #8957e5",
    ".paid, .let": "fill: #3fb950",
    ".answered": "fill: #5b6878",
    ".refused": "fill: #8f9df0",
    ".putoff, .half_open, .paused": "fill: #d29922",
    ".failed, .open": "fill: #f85149",
    ".closed": "fill: #24563a",
    ".forced": "fill: #8b949e",
    ".p99": "stroke: #4493f8",
    ".p50": "stroke: #a5d6ff",
    ".polls": "stroke: #7d8590",
    ".line": "stroke: #9198a1",
}
SHAPES = {
    "svg": f"font-family: {FONTS}; font-size: 12px",
    ".rule, .soft": "stroke-width: 1",
    ".title": "font-size: 20px; font-weight: 600",
    ".head": "font-size: 13px; font-weight: 600",
    ".small": "font-size: 11px",
    ".end": "text-anchor: end",
    ".mid": "text-anchor: middle",
    ".on": "font-weight: 600",
    ".p50, .p99, .polls, .line": "fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round",
    ".polls": "stroke-dasharray: 3 3",
}

Point = tuple[float, float]


class Drawing:
    """A picture of that *width* and *height* to which elements are added from the back to the front."""

    def __init__(self, width: float, height: float, *, title: str, described: str) -> None:
        """Begin with the page alone."""
        self._width, self._height = width, height
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(width)} {_number(height)}" role="img" '
            f'aria-labelledby="title about">\n<title id="title">{escape(title)}</title>\n'
            f'<desc id="about">{escape(described)}</desc>\n<style>\n{_rules(SHAPES)}{_rules(LIGHT)}'
            f"@media (prefers-color-scheme: dark) {{\n{_rules(DARK)}}}\n</style>"
        )
        self._elements: list[str] = []
        self.box(0, 0, width, height, "page")

    def box(  # noqa: PLR0913 -- a place, a size, a look
        self, x: float, y: float, width: float, height: float, look: str, *, said: str = "", radius: float = 0
    ) -> None:
        """Add a rectangle; *said* is shown to whoever points at it."""
        rounded = f' rx="{_number(radius)}"' if radius else ""
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        told = f"><title>{escape(said)}</title></rect>" if said else "/>"
        self._elements.append(f"<rect class={quoteattr(look)} {place}{rounded}{told}")

    def text(self, x: float, y: float, said: str, look: str = "") -> None:
        """Add a line of text with its baseline at *y*."""
        kind = f" class={quoteattr(look)}" if look else ""
        self._elements.append(f'<text{kind} x="{_number(x)}" y="{_number(y)}">{escape(said)}</text>')

    def rule(self, start: Point, end: Point, look: str = "rule") -> None:
        """Add a straight line."""
        (x1, y1), (x2, y2) = start, end
        ends = f'x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"'
        self._elements.append(f"<line class={quoteattr(look)} {ends}/>")

    def bars(self, boxes: Iterable[tuple[float, float, float, float]], look: str) -> None:
        """Add many rectangles that look alike, as one element."""
        drawn = "".join(
            f"M{_number(x)} {_number(y)}h{_number(width)}v{_number(height)}h{_number(-width)}z"
            for x, y, width, height in boxes
            if height > 0
        )
        if drawn:
            self._elements.append(f'<path class={quoteattr(look)} d="{drawn}"/>')

    def curve(self, pieces: Iterable[Sequence[Point]], look: str) -> None:
        """Add a line through points; where there was nothing to see, one piece ends and the next begins."""
        drawn = "".join(
            "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in ([*piece, piece[0]] if len(piece) == 1 else piece))
            for piece in pieces
            if piece
        )
        if drawn:
            self._elements.append(f'<path class={quoteattr(look)} d="{drawn}"/>')

    def finished(self) -> str:
        """Return the picture."""
        return "\n".join([self._head, *self._elements, "</svg>", ""])


def _rules(looks: Mapping[str, str]) -> str:
    return "".join(f"{which} {{ {how} }}\n" for which, how in looks.items())


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
