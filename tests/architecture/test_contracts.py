"""What one store promises all of them do: no contract suite of the sale is left out for the servers."""

from pathlib import Path

CONTRACT = Path(__file__).parent.parent / "contract"
OVER_SERVERS = CONTRACT.with_name("contract_sql")


def test_each_suite_over_a_database_is_run_over_the_servers_too() -> None:
    over_lanes = {
        path.name for path in CONTRACT.glob("test_*.py") if any(word in path.read_text() for word in FIXTURES)
    }

    assert over_lanes == {path.name for path in OVER_SERVERS.glob("test_*.py")}
    for name in over_lanes:
        assert f"from tests.contract.{name.removesuffix('.py')} import *" in (OVER_SERVERS / name).read_text()


FIXTURES = ("house: House", "lanes: Lanes")
"""How a test asks for a database of `STORES`."""
