"""No file is longer than it can be kept in mind, no function longer than a page; in tests and scripts neither."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path for folder in ("src", "scripts", "tests") for path in (ROOT / folder).rglob("*.py"))

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
"""From `def` to its last line, with its docstring and without its decorators."""


def too_long(name: str, text: str) -> Iterator[str]:
    """Yield what is too long in the *text* of a file."""
    if (lines := len(text.splitlines())) > FILE_LINES_MAX:
        yield f"{name} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if (lines := node.end_lineno - node.lineno + 1) > FUNCTION_LINES_MAX:
                yield f"{name}: {node.name} has {lines} lines"


def test_nothing_is_too_long() -> None:
    assert {"src", "scripts", "tests"} == {path.relative_to(ROOT).parts[0] for path in FILES}
    found = [each for path in FILES for each in too_long(str(path.relative_to(ROOT)), path.read_text("utf-8"))]

    assert found == []


def a_function(lines: int, head: str = "def long():") -> str:
    return "\n".join([head, *["    pass"] * (lines - 1)]) + "\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\n" * 500, []),
        ("\n" * 501, ["it has 501 lines"]),
        (a_function(70), []),
        (a_function(71), ["it: long has 71 lines"]),
        ("@decorated\n" + a_function(71, "async def long():"), ["it: long has 71 lines"]),
        ("class It:\n    " + a_function(71).replace("\n", "\n    ").rstrip() + "\n", ["it: long has 71 lines"]),
    ],
)
def test_what_is_longer_is_found(text: str, found: list[str]) -> None:
    assert list(too_long("it", text)) == found
