"""What compose.yaml says, as far as that can be judged where no container engine is."""

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagedoor.bootstrap.stopping import CLOSING_S, DRAIN_NOTICE_S
from stagedoor.settings import load

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CLI = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")

OF_THE_ORIGIN = {"redis": [6379], "mariadb": [3306], "kafka": [9092, 29092], "kafka-ui": [8081]}
"""The containers of the report that the API comes from, and their ports on the host, but for ZooKeeper."""

SERVERS = ["stagedoor-1", "stagedoor-2", "stagedoor-3"]
OURS = [*SERVERS, "migrate", "consumer"]
SECRETS = {"STAGEDOOR_SECRET": "s" * 32, "MARIADB_PASSWORD": "a" * 24, "REDIS_PASSWORD": "b" * 24}


def published(service: str) -> list[tuple[str, int]]:
    """Return on which addresses and ports of the host *service* can be reached; the environment says nothing."""
    filled = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", port) for port in SERVICES[service].get("ports", [])]
    return [(address, int(port)) for address, port, _ in (each.split(":") for each in filled)]


def filled_in(service: str) -> dict[str, str]:
    """Return the environment of *service* with every secret in its place."""
    environment: dict[str, str] = SERVICES[service]["environment"]
    return {
        name: re.sub(r"\$\{(\w+)(?::\?|:-([^}]*))\}", lambda found: SECRETS.get(found[1], found[2] or ""), str(value))
        for name, value in environment.items()
    }


@pytest.mark.parametrize(("name", "ports"), OF_THE_ORIGIN.items())
def test_an_engine_has_the_name_and_the_ports_of_the_origin(name: str, ports: list[int]) -> None:
    assert SERVICES[name]["container_name"] == name
    assert [port for _, port in published(name)] == ports


def test_only_this_machine_is_let_in_unless_somebody_says_otherwise() -> None:
    addresses = {address for service in SERVICES for address, _ in published(service)}

    assert addresses == {"127.0.0.1"}
    assert published("nginx") == [("127.0.0.1", 8080)]
    assert not [service for service in OURS if "ports" in SERVICES[service]]


def test_the_breaker_of_kafka_is_one_that_operators_reach() -> None:
    for server in SERVERS:
        settings = load(flags={}, environ=filled_in(server))

        assert settings.kafka_bootstrap is not None
        assert settings.relay_in_server


@pytest.mark.parametrize("service", OURS)
def test_a_process_is_told_what_it_understands(service: str) -> None:
    settings = load(flags={}, environ=filled_in(service))

    assert settings.is_cluster
    assert settings.kafka_bootstrap is not None
    words = [word for word in SERVICES[service]["command"] if not word.startswith("--")]
    assert f"## stagedoor {' '.join(words)}\n" in CLI


def test_all_are_told_the_same() -> None:
    assert len({tuple(sorted(filled_in(service).items())) for service in OURS}) == 1


def test_a_stop_has_the_time_that_it_may_take() -> None:
    settings = load(flags={}, environ=filled_in(SERVERS[0]))

    for service in SERVERS:
        seconds = float(SERVICES[service]["stop_grace_period"].removesuffix("s"))
        assert seconds > DRAIN_NOTICE_S + settings.drain_seconds + CLOSING_S


def test_nginx_hands_on_to_every_server_and_is_believed() -> None:
    servers = re.findall(
        r"^server ([\w-]+):8080", (ROOT / "deploy/nginx/servers.conf").read_text("utf-8"), re.MULTILINE
    )
    address = SERVICES["nginx"]["networks"]["default"]["ipv4_address"]
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]

    assert servers == SERVERS
    assert sorted(SERVICES["nginx"]["depends_on"]) == SERVERS
    assert filled_in(SERVERS[0])["STAGEDOOR_TRUSTED_PROXIES"] == address
    fixed = [SERVICES[name]["networks"]["default"]["ipv4_address"] for name in ("nginx", *SERVERS)]
    assert len(set(fixed)) == len(fixed)
    assert all(ipaddress.ip_address(each) in ipaddress.ip_network(network["subnet"]) for each in fixed)


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")

    for name in SECRETS:
        assert set(re.findall(rf"\$\{{{name}([^}}]*)\}}", text)) == {":?"}
    said = re.findall(r"(?:PASSWORD|SECRET): (.*)", text)
    assert [each for each in said if not re.fullmatch(r"\$\{\w+:\?\}", each)] == ['"1"']  # a random one


def test_one_service_builds_the_image_and_the_others_wait_for_it() -> None:
    assert [name for name, said in SERVICES.items() if "build" in said] == ["migrate"]
    for service in OURS:
        if service != "migrate":
            assert SERVICES[service]["pull_policy"] == "never"
            assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_whoever_is_waited_for_says_whether_she_is_well() -> None:
    with_image_check = {*SERVERS}  # Dockerfile: HEALTHCHECK
    for said in SERVICES.values():
        for name, condition in said.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert name in with_image_check or "test" in SERVICES[name]["healthcheck"], name
