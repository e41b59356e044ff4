"""compose.yaml cannot be run where these tests run; so it is held equal to the services that can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aura_lake.services import connect, kafka, postgres, redis, registry, s3
from aura_lake.services.artefacts import ArtefactCache
from aura_lake.services.environment import DATABASE
from aura_lake.services.site import Site
from aura_lake.services.stack import DEFAULT_PORTS, Stack

PROJECT = Path(__file__).resolve().parents[2]

IMAGES = {
    "postgres": f"postgres:{postgres.VERSION}",
    "kafka": f"apache/kafka:{kafka.VERSION}",
    "registry": f"apicurio/apicurio-registry:{registry.VERSION}",
    "connect": f"quay.io/debezium/connect:{connect.DEBEZIUM_VERSION}",
    "s3": f"versity/versitygw:{s3.VERSION}",
    "redis": f"redis:{redis.VERSION}",
}

#: Settings that name places, which are others in a container, and those that a container has no use for.
OF_THE_PLACE = {
    *("controller.quorum.voters", "listeners", "advertised.listeners", "listener.security.protocol.map"),
    *("inter.broker.listener.name", "log.dirs", "bootstrap.servers", "rest.advertised.host.name"),
    *("plugin.path", "plugin.discovery"),
    # The image's own are good enough: threads and buffers are small here to save memory.
    *("num.network.threads", "num.io.threads", "background.threads", "log.cleaner.dedupe.buffer.size"),
    *("broker.session.timeout.ms", "broker.heartbeat.interval.ms"),
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"]
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, DEFAULT_PORTS, ArtefactCache({"HOME": str(tmp_path)}, print), {})


def settings_of(service: dict[str, Any], prefix: str) -> dict[str, str]:
    """The settings that an image makes of its environment: without the prefix, in small letters, with dots."""
    return {
        name.removeprefix(prefix).lower().replace("_", "."): str(value)
        for name, value in service["environment"].items()
    }


def test_the_same_services_in_the_same_versions(services: dict[str, Any], site: Site) -> None:
    assert {name: service["image"] for name, service in services.items()} == IMAGES
    assert set(services) == {service.name for service in Stack(site, print).services}


def test_the_same_ports_on_loopback_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items()}
    assert all(len(ports) == 1 for ports in published.values())
    for name, (port,) in published.items():
        assert port.startswith(f"127.0.0.1:{DEFAULT_PORTS[name]}:"), name
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"127.0.0.1:{DEFAULT_PORTS['kafka']}" in advertised, "clients are sent back to the published port"


def test_kafka_is_told_the_same(services: dict[str, Any], site: Site) -> None:
    told = settings_of(services["kafka"], "KAFKA_")
    wanted = {name: str(value) for name, value in kafka.Kafka(site).settings().items() if name not in OF_THE_PLACE}
    assert {name: told.get(name) for name in wanted} == wanted


def test_connect_is_told_the_same(services: dict[str, Any], site: Site) -> None:
    told = settings_of(services["connect"], "CONNECT_")
    wanted = {name: str(value) for name, value in connect.Connect(site).settings().items() if name not in OF_THE_PLACE}
    assert {name: told.get(name) for name in wanted} == wanted
    assert f"-Xmx{connect.Connect.heap_mb}m" in services["connect"]["environment"]["HEAP_OPTS"]


def test_postgres_writes_a_log_that_can_be_read(services: dict[str, Any], site: Site) -> None:
    told = dict(word.split("=") for word in services["postgres"]["command"].split() if "=" in word)
    ours = dict(line.split(" = ") for line in postgres.Postgres(site).settings().splitlines())
    assert told
    assert {name: f"'{value}'" for name, value in told.items()} == {name: ours[name] for name in told}
    assert services["postgres"]["environment"]["POSTGRES_DB"] == DATABASE


def test_s3_has_the_same_keys(services: dict[str, Any], site: Site) -> None:
    ours = s3.S3(site).command()
    told = services["s3"]["command"].split()
    for option in ("--access", "--secret", "--region"):
        assert told[told.index(option) + 1] == ours[ours.index(option) + 1]


def test_every_volume_is_used_and_every_used_one_is_there(services: dict[str, Any]) -> None:
    declared = set(yaml.safe_load((PROJECT / "compose.yaml").read_text())["volumes"])
    used = {volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert used == declared


def test_who_waits_waits_for_a_service_that_says_when_it_is_healthy(services: dict[str, Any], site: Site) -> None:
    for service in Stack(site, print).services:
        assert set(service.needs) <= set(services[service.name].get("depends_on", {})), service.name
    for service_name, service in services.items():
        for other in service.get("depends_on", {}):
            assert services[other]["healthcheck"]["test"], f"{service_name} waits for {other}"
