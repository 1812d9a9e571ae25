"""What a crash may leave: a log cut anywhere is an evening without a contradiction; another secret harms no place."""

import asyncio
import random
from pathlib import Path
from shutil import copyfile

from tests.e2e.harness.client import Client
from tests.e2e.harness.evening import Evening
from tests.e2e.harness.server import Server
from tests.integration.cli.command import commands_in
from tests.kill.conftest import Night
from tests.kill.rounds import Crowd, Killings

SEED = 21
ANSWERS = 250
CUTS = 5


def test_a_log_that_is_cut_anywhere_breaks_no_invariant(night: Night, tmp_path: Path) -> None:
    with night() as evening:
        asyncio.run(killed_under_a_crowd(evening))
        log = evening.database.with_name("stagedoor.db-wal").read_bytes()
        cuts = random.Random(SEED).sample(range(len(log)), CUTS)
        said = {cut: cut_and_checked(evening, log[:cut], tmp_path / str(cut)) for cut in cuts}

    assert said == dict.fromkeys(cuts, "")


async def killed_under_a_crowd(evening: Evening) -> None:
    """Kill the server once the crowd has had some answers."""
    async with Crowd.of(evening, SEED) as crowd:
        await Killings(evening, crowd, SEED).kill_after(ANSWERS)


def cut_and_checked(evening: Evening, log: bytes, folder: Path) -> str:
    """Return what `stagedoor check` objects to in the evening's data with *log* as all of its log."""
    folder.mkdir()
    copyfile(evening.database, folder / "stagedoor.db")
    (folder / "stagedoor.db-wal").write_bytes(log)
    checked = commands_in(folder)("check")
    return "" if checked.exit_code == 0 else checked.output


async def test_another_secret_refuses_the_tokens_of_before_and_keeps_the_places(night: Night) -> None:
    with night() as evening:
        async with evening.client() as client:
            fan = evening.fan(client, "long")
            joined = await fan.enter()
        evening.server.kill()
        evening.server = Server.start(evening.database, {"SECRET": "another secret, and longer than 32 bytes"})
        async with Client.on(evening.server.port) as client:
            fan = fan.at(client)
            refused = await fan.check()
            again = await fan.join()
            stands = await fan.check()
        evening.check()

    assert joined.ok
    assert refused.verdict == (401, "401")
    assert again.ok
    assert stands.data["status"] == "PROGRESS"
