"""
Whether a page shows what really came: apart from what differs in every run, and what the page leaves out.

`…` on a page stands for anything within its line; alone on a line, for any lines.
"""

import re

DIFFERS = (
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"\bsdk_[\w-]+"), "<key>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d| [A-Z]{3}\b)?"), "<instant>"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "<date>"),
    (re.compile(r'(\w*Seconds|retryAfterMs)": ?[\d.]+'), r'\1":<a while>'),
    (re.compile(r'"requestId": ?"[^"]+"'), '"requestId":"<id>"'),
    (re.compile(r"\b\d{10,16}\b"), "<id>"),
    (re.compile(r"  +"), "  "),  # columns are as wide as what is in them
    (re.compile(r"\b\d+(?:\.\d+)? (?:s|ms)\b"), "<a while>"),
    (re.compile(r"\bschema \d{4}\b"), "schema <number>"),
    (re.compile(r"\ball \d+ invariants", re.IGNORECASE), "all invariants"),
)
GAP = "…"


def is_shown(printed: str, came: str) -> bool:
    """Tell whether *printed* on the page shows what *came*."""
    return re.fullmatch(_pattern(common(printed)), common(came)) is not None


def common(text: str) -> str:
    """Return *text* without what differs in every run, and without blanks at the ends of its lines."""
    for differs, name in DIFFERS:
        text = differs.sub(name, text)
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def _pattern(text: str) -> str:
    lines = (r"(?:.*\n)*?" if line.strip() == GAP else _within(line) + "\n" for line in text.splitlines())
    return "".join(lines)


def _within(line: str) -> str:
    return ".*".join(map(re.escape, line.split(GAP)))
