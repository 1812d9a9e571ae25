"""What the documents refer to is there: pages, sections, commands, settings; and twins say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts import write_reference
from scripts.proof import PROOFS, known_proofs
from scripts.suites import QUICK, chosen
from stagedoor import __version__
from stagedoor.cli.options import SETTING_FLAGS
from stagedoor.settings import TABLE
from stagedoor.settings.setting import variable

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
EVIDENCE = sorted(page for page in (DOCS / "evidence").glob("*.md") if page.name != "README.md")
PICTURES = [DOCS / "picture.svg", DOCS / "picture.ko.svg"]
REFERENCE = write_reference.pages()

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)

TWINS = [(page, page.with_suffix("").with_suffix(".md")) for page in PAGES if page.name.endswith(".ko.md")]
"""A Korean page, and the English one that it says again."""

NAMED_FILE = re.compile(r"(?:tests|src|scripts|docs|load)/[\w./-]*\w|\.ci/run|Makefile")


BENCH_ROWS = ("check_waiting", "check_waiting_1m", "token_issue", "schedule", "seats_50", "seats_20000", "orders")
"""As the READMEs tell of them, in their order."""

README_COLUMNS = 7


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """Return the page without its blocks of code."""
    return FENCED.sub("", text_of(path))


def code_in(path: Path) -> Iterator[str]:
    """Yield every line of code on the page, in blocks and in sentences."""
    for _, block in FENCED.findall(text_of(path)):
        yield from block.splitlines()
    yield from CODE.findall(prose_of(path))


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in *text*."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def links_in(path: Path) -> list[str]:
    """Return where the page leads to, within this repository."""
    return [link for link in LINK.findall(prose_of(path)) if "://" not in link and not link.startswith("mailto:")]


def anchors_in(path: Path) -> set[str]:
    """Return the names of the page's sections, as GitHub makes them."""
    titles = [title.strip().lower() for _, title in HEADING.findall(prose_of(path))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_in(page):
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page

        assert found.is_relative_to(ROOT), link
        assert found.exists(), link
        assert not anchor or anchor in anchors_in(found), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_that_is_named_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {found[1] for line in code_in(page) if (found := re.match(r"(?:\w+=\S+ )*make ([a-z0-9-]+)", line))}

    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_named_is_there(page: Path) -> None:
    known = {title for _, title in HEADING.findall(REFERENCE["cli.md"])}
    named = {found[1] for line in code_in(page) if (found := re.match(r"(?:\S*/)?(stagedoor(?: [a-z][a-z-]*)+)", line))}

    for each in named:
        # What follows a command may be the name of a room or of a key.
        assert each in known or each.rpartition(" ")[0] in known - {"stagedoor"}, each


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_is_named_is_there(page: Path) -> None:
    known = {row.variable for row in TABLE} | {variable("config")}
    misspelt = set(write_reference.MISSPELT)

    assert set(re.findall(r"STAGEDOOR_[A-Z_]*[A-Z]", text_of(page))) <= known | misspelt


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_metric_that_is_named_is_there(page: Path) -> None:
    known = set(re.findall(r"^\| `(stagedoor_\w+)`", REFERENCE["metrics.md"], re.MULTILINE))
    named = set(re.findall(r"\bstagedoor_[a-z_]*[a-z]", "\n".join(code_in(page))))

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in named} <= known


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    assert text_of(DOCS / "reference" / name) == REFERENCE[name], "run scripts/write_reference.py"


def test_every_setting_and_its_flag_are_in_the_reference() -> None:
    settings = text_of(DOCS / "reference" / "settings.md")

    assert all(f"`{row.variable}`" in settings for row in TABLE)
    assert {each.name for each in SETTING_FLAGS} == {row.name for row in TABLE if row.has_flag} | {"config"}


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links_in(index)}

    pages = {page for page in DOCS.rglob("*.md") if page != index and page not in [*DECISIONS, *EVIDENCE]}
    assert pages <= listed


def test_all_evidence_is_of_a_proof_that_is_there() -> None:
    assert {page.stem for page in EVIDENCE} <= {*known_proofs(PROOFS)}


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "README.ko.md"], ids=name_of)
def test_the_figures_of_a_readme_are_those_of_the_bench_that_is_kept(page: Path) -> None:
    kept = {row[0]: row for row in rows_of(text_of(ROOT / "docs/evidence/bench.md"))}
    _head, _rule, *told = [row for row in rows_of(text_of(page)) if len(row) == README_COLUMNS]

    for name, row in zip(BENCH_ROWS, told, strict=True):
        rate, ratio, by_cpu, goal = kept[name][1], kept[name][3].split()[0], kept[name][4], kept[name][5]
        assert row[4] == rate
        assert ("**" in row[3]) == ("missed" in goal)
        # Of an order the rate is what counts: nothing that the floor does is like it.
        assert name == "orders" or row[1:3] == [ratio, by_cpu]


def test_no_two_decisions_have_one_number() -> None:
    numbers = [page.name[:4] for page in DECISIONS]

    assert len(set(numbers)) == len(numbers)


def test_every_decision_is_in_the_index_by_its_title() -> None:
    entries = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", text_of(DOCS / "decisions" / "README.md"), re.MULTILINE)

    titles = [HEADING.findall(text_of(page))[0][1].split(". ", 1) for page in DECISIONS]
    # The index may shorten a title, but not change it.
    assert [(number, page) for number, _, page in entries] == [
        (number, page.name) for (number, _), page in zip(titles, DECISIONS, strict=True)
    ]
    for (_, title), (_, shown, _) in zip(titles, entries, strict=True):
        assert title.startswith(shown) or shown.startswith(title), title


def test_every_part_of_the_code_is_on_the_page_about_it() -> None:
    packages = {folder.parent.name for folder in (ROOT / "src" / "stagedoor").glob("*/__init__.py")}
    layout = "\n".join(block for _, block in FENCED.findall(text_of(DOCS / "explanation" / "architecture.md")))

    assert packages == set(re.findall(r"^  (\w+)/ ", layout, re.MULTILINE))


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_says_why_and_what_enforces_it(page: Path) -> None:
    parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", text_of(page), re.MULTILINE)

    assert parts == ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: name_of(twins[0]))
def test_twins_have_the_same_sections_and_the_same_code(twins: tuple[Path, Path]) -> None:
    levels = [[len(marks) for marks, _ in HEADING.findall(prose_of(page))] for page in twins]
    code = [FENCED.findall(text_of(page)) for page in twins]

    assert levels[0] == levels[1]
    assert code[0] == code[1]


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: name_of(twins[0]))
def test_twins_lead_to_the_same_places(twins: tuple[Path, Path]) -> None:
    here, there = ([link.partition("#")[0].replace(".ko.", ".") for link in links_in(page)] for page in twins)

    assert sorted(here) == sorted(there)


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_a_stranger_finds_the_two_commands(name: str) -> None:
    assert {"make run", "make test"} <= set(code_in(ROOT / name))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = {code for code in CODE.findall(prose_of(page)) if NAMED_FILE.fullmatch(code)}

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_pictures_differ_in_their_words_alone() -> None:
    here, there = (re.sub(r">[^<>]+</(text|title)>", r"></\1>", text_of(picture)) for picture in PICTURES)

    assert here == there


@pytest.mark.parametrize("picture", [*PICTURES, DOCS / "chaos.svg"], ids=name_of)
def test_a_picture_says_what_it_shows_and_loads_nothing(picture: Path) -> None:
    drawn = ET.fromstring(text_of(picture))  # noqa: S314 -- our own file

    assert drawn.findtext("{http://www.w3.org/2000/svg}title")
    assert text_of(picture).count("://") == 1
    assert "href" not in text_of(picture)


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)


def test_every_suite_is_told_of_with_its_tier() -> None:
    told = re.findall(r"^- `(\w+)`(?: \((\w+)\))?: ", text_of(ROOT / "CONTRIBUTING.md"), re.MULTILINE)

    assert sorted(told) == sorted((suite.name, "" if suite.tier == QUICK else suite.tier) for suite in chosen([]))
