"""`stagedoor doctor` looks whether the brokers answer."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stagedoor.adapters.kafka.access import KafkaAccess
from stagedoor.adapters.kafka.publisher import KafkaPublisher
from stagedoor.cli import application
from tests.builders.events import paid
from tests.kafka.processes import settings_for


async def found(database: Path, bootstrap: str) -> str:
    told = settings_for(database, bootstrap)
    done = await asyncio.to_thread(CliRunner().invoke, application(), ["doctor"], env=told)
    findings = done.output.partition("\nFindings")[2].splitlines()
    [line] = [line for line in findings if line.startswith("kafka ")]
    return line


@pytest.mark.usefixtures("house")
async def test_brokers_that_answer(tmp_path: Path, kafka_bootstrap: str) -> None:
    before = await found(tmp_path / "stagedoor.db", kafka_bootstrap)
    publisher = KafkaPublisher(KafkaAccess(bootstrap=(kafka_bootstrap,)))
    await publisher.publish([paid("a")])
    await publisher.close()
    after = await found(tmp_path / "stagedoor.db", kafka_bootstrap)

    assert "1 broker answers; no topic stagedoor.orders or stagedoor.holds yet: publishing makes it" in before
    assert after.split(maxsplit=2)[1:] == ["ok", "1 broker answers"]


@pytest.mark.usefixtures("house")
async def test_brokers_that_do_not(tmp_path: Path) -> None:
    line = await found(tmp_path / "stagedoor.db", "127.0.0.1:1")

    assert line.split(maxsplit=2)[1] == "WRONG"
    assert "events wait in the database meanwhile" in line
