"""Every recorded sequence of Resilience4j 2.3.0, on our breaker."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conformance.replay import Sequence, UnreadableLineError, main, replay

DATA = Path(__file__).parent / "data"
RECORDING = DATA / "resilience4j_sequences.txt"
ROOT = Path(__file__).parents[2]

LINES = RECORDING.read_text(encoding="utf-8").splitlines()
SEQUENCES = [Sequence.parse(line) for line in LINES if not line.startswith("#")]
DEVIATIONS = {
    one["label"]: one for one in tomllib.loads((DATA / "deviations.toml").read_text(encoding="utf-8"))["deviation"]
}


def expected(sequence: Sequence) -> str:
    if sequence.label in DEVIATIONS:
        return str(DEVIATIONS[sequence.label]["ours"])
    return sequence.recorded


def test_the_recording_is_whole() -> None:
    assert len(SEQUENCES) == 943
    assert len({sequence.label for sequence in SEQUENCES}) == 943


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence.label)
def test_the_breaker_ends_as_recorded(sequence: Sequence) -> None:
    assert replay(sequence) == expected(sequence)


def test_every_deviation_is_one_and_says_why() -> None:
    recorded = {sequence.label: sequence.recorded for sequence in SEQUENCES}

    for label, deviation in DEVIATIONS.items():
        assert deviation["ours"] != recorded[label]
        assert deviation["reason"]


def test_every_deviation_is_in_the_decision_record() -> None:
    record = (ROOT / "docs" / "decisions" / "0009-breaker-deviations.md").read_text(encoding="utf-8")

    assert [label for label in DEVIATIONS if label not in record] == []


def test_a_replay_of_the_recording_differs_in_the_deviations_alone() -> None:
    printed = subprocess.run(  # noqa: S603 -- our own module
        [sys.executable, "-m", "tests.conformance.replay", str(RECORDING)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout.splitlines()

    differing = [line for line, ours in zip(LINES, printed, strict=True) if line != ours]

    assert [line.rsplit("|", 8)[0] for line in differing] == [
        sequence.label for sequence in SEQUENCES if sequence.label in DEVIATIONS
    ]


def test_a_replay_adds_the_result_that_a_line_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.txt"
    file.write_text("# a > comment | stays\n\nmine | a > label|10|2|C|1|4|100|1|FF+1001;A\n", encoding="utf-8")

    status = main([str(file)])

    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "# a > comment | stays",
        "",
        "mine | a > label|10|2|C|1|4|100|1|FF+1001;A>HALF_OPEN rate=-1 slow=-1 buffered=0 failed=0 notPermitted=0",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "too few fields|10|2|C>",
        "no such window|10|2|X|1|4|100|1|S>",
        "no such token|10|2|C|1|4|100|1|SQ>",
        "an impossible setting|0|2|C|1|4|100|1|S>",
    ],
)
def test_a_line_that_is_no_sequence_is_refused(line: str) -> None:
    with pytest.raises(UnreadableLineError):
        Sequence.parse(line)


def test_an_unreadable_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([str(tmp_path / "missing.txt")])

    assert status == 1
    assert "missing.txt" in capsys.readouterr().err


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.txt"
    file.write_bytes(b"\xff\xfe\0bad")

    status = main([str(file)])

    assert status == 1
    assert capsys.readouterr() == ("", f"{file} is not UTF-8: invalid start byte at byte 0\n")


def test_a_mark_of_the_encoding_is_no_part_of_the_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.txt"
    file.write_text("# a comment\n", encoding="utf-8-sig")

    status = main([str(file)])

    assert status == 0
    assert capsys.readouterr() == ("# a comment\n", "")


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("bad|10|2", "not a sequence: 3 fields, not 9, in 'bad|10|2'"),
        ("bad|10|2|X|1|4|100|1|S", "not a sequence: a window of 'X', not of C or T, in 'bad|10|2|X|1|4|100|1|S'"),
        ("bad|10|2|C|1|4|100|1|SQ", "unknown tokens 'Q' in 'bad|10|2|C|1|4|100|1|SQ'"),
        (f"bad|{10**30}|2|C|1|4|100|1|S", f"too large a figure in 'bad|{10**30}|2|C|1|4|100|1|S': cannot fit 'int'"),
    ],
)
def test_a_line_that_is_no_sequence_is_told_by_its_number_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, sentence: str
) -> None:
    file = tmp_path / "own.txt"
    file.write_text(f"# mine\n{bad}\na|10|2|C|1|4|100|1|S>\n{bad}\n", encoding="utf-8")

    status = main([str(file)])

    printed = capsys.readouterr()
    assert status == 1
    assert printed.out.splitlines() == [
        "# mine",
        "a|10|2|C|1|4|100|1|S>CLOSED rate=-1 slow=-1 buffered=1 failed=0 notPermitted=0",
    ]
    first, second = printed.err.splitlines()
    assert first.startswith(f"{file}:2: {sentence}")
    assert second.startswith(f"{file}:4: {sentence}")
