"""Once a server listens, its collector leaves out what the start has made."""

from tests.e2e.harness.evening import Evenings


async def test_a_server_that_listens_is_frozen(evenings: Evenings) -> None:
    with evenings(mutant="frozen_told") as evening:
        assert evening.server.port
        said = list(evening.server.said)

    assert "It is frozen." in said
