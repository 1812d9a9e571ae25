"""A script says when what goes wrong; one that cannot be played is refused before anything is started."""

from pathlib import Path

import pytest

from tests.chaos.plan import DEFAULT, BadScriptError, Dependency, Script
from tests.faults.toxics import Latency


def written(folder: Path, *lines: str) -> Path:
    path = folder / "script.yaml"
    path.write_text("\n".join(["seconds: 20", "outages:", *lines]))
    return path


def test_the_default_one_has_every_dependency_fail_in_more_than_one_way() -> None:
    script = Script.read(DEFAULT)

    for dependency in Dependency:
        assert len({each.toxic for each in script.outages if each.dependency is dependency}) >= 2
    ends = [outage.until_s for outage in script.outages]
    assert all(end < after.at_s for end, after in zip(ends, script.outages[1:], strict=False))


def test_a_line_is_an_outage(tmp_path: Path) -> None:
    line = "  - {at: 5, for: 2.5, dependency: redis, toxic: latency, ms: 300, stream: up, toxicity: 0.5}"

    [outage] = Script.read(written(tmp_path, line)).outages

    assert (outage.at_s, outage.until_s, outage.dependency) == (5, 7.5, Dependency.REDIS)
    toxic = outage.made()
    assert isinstance(toxic, Latency)
    assert (toxic.ms, toxic.stream, toxic.toxicity) == (300, "up", 0.5)
    assert outage.label == "+300 ms, 50% of connections"


def test_it_is_shortened_as_a_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "  - {at: 10, for: 4, dependency: kafka, toxic: down}")

    script = Script.read(path).lasting(5)

    assert [(each.at_s, each.lasts_s) for each in script.outages] == [(2.5, 1.0)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  - {at: 1, for: 2, dependency: redis, toxic: earthquake}", "no toxic 'earthquake'"),
        ("  - {at: 1, for: 2, dependency: redis, toxic: down, ms: 3}", "`down` closes the door"),
        ("  - {at: 1, for: 2, dependency: redis, toxic: latency, seconds: 3}", "cannot be made"),
        ("  - {at: 1, for: 2, dependency: redis, toxic: timeout, stream: sideways}", "cannot be made"),
        ("  - {at: 19, for: 2, dependency: redis, toxic: down}", "not within the 20 s"),
        ("  - {at: 1, for: 2, dependency: nginx, toxic: down}", "is no script"),
        ("  - {for: 2, dependency: redis, toxic: down}", "is no script"),
    ],
)
def test_what_cannot_be_played_is_refused_in_a_sentence(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadScriptError, match=said):
        Script.read(written(tmp_path, line))
