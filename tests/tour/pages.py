"""
What a page asks its reader to type, and what it says she will see.

A block of `sh` is typed. A block of `json` or `text` behind it, before the next `sh`, is what it prints. A comment
`<!-- not typed: WHY -->` right before a block of `sh` takes it out of the tour.
"""

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"(?:^<!-- not typed: (?P<why>.+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
PRINTED = ("json", "text")
STARTS_A_SERVER = re.compile(r"(?:^|[ /])(?:make run|stagedoor serve(?: --?[\w=./:-]+| \d+)*)\n?\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One block to be typed; *printed* is what the page shows behind it, if it shows anything."""

    line: int
    typed: str
    printed: str | None = None

    @property
    def starts_a_server(self) -> bool:
        """Whether its last line runs a server in the foreground: until Ctrl-C, which the next such step stands for."""
        return STARTS_A_SERVER.search(self.typed) is not None


def steps_of(page: Path) -> list[Step]:
    """Return what is to be typed on *page*, in its order."""
    text = page.read_text(encoding="utf-8")
    steps: list[Step] = []
    may_be_printed = False
    for block in BLOCK.finditer(text):
        if block["language"] == "sh":
            may_be_printed = block["why"] is None
            if may_be_printed:
                steps.append(Step(line=text.count("\n", 0, block.start("text")), typed=block["text"]))
        elif block["language"] in PRINTED and may_be_printed:
            before = steps.pop()
            steps.append(Step(line=before.line, typed=before.typed, printed=block["text"]))
            may_be_printed = False
    return steps
