"""What is installed on which machine, and what a person is told to install."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aura_lake.errors import ServiceError
from aura_lake.services.installing import how_by_hand, plan_installation, run_installation
from aura_lake.services.service import Missing
from aura_lake.services.site import Site
from tests.unit.services.conftest import Pretend

REDIS = Missing("redis-server", "work", apt="redis-server", brew="redis")
JAVA = Missing("java", "Kafka", apt="openjdk-17-jre-headless", brew="openjdk@17")
GATEWAY = Missing("versitygw", "objects", go="example.org/gateway@v1")


def test_root_on_debian_installs_packages_in_one_go(site: Site, bare: dict[str, str], pretend: Pretend) -> None:
    pretend("apt-get", "exit 0")
    plan = plan_installation([REDIS, JAVA], replace(site, environ=bare), is_root=True)
    assert plan.commands[-1][-2:] == ("openjdk-17-jre-headless", "redis-server")
    assert [command[1] for command in plan.commands] == ["update", "install"]
    assert plan.by_hand == ()


@pytest.mark.parametrize(("has_apt", "is_root"), [(True, False), (False, True)])
def test_others_are_told_what_to_type(
    site: Site, bare: dict[str, str], pretend: Pretend, has_apt: bool, is_root: bool
) -> None:
    if has_apt:
        pretend("apt-get", "exit 0")
    plan = plan_installation([REDIS, GATEWAY], replace(site, environ=bare), is_root=is_root)
    assert (plan.commands, plan.by_hand) == ((), (REDIS, GATEWAY))
    assert how_by_hand(REDIS) == "Debian: apt-get install redis-server; macOS: brew install redis"
    assert how_by_hand(GATEWAY) == "with Go (https://go.dev/dl): go install example.org/gateway@v1"


def test_go_builds_into_the_cache_where_it_is_then_found(site: Site, bare: dict[str, str], pretend: Pretend) -> None:
    pretend("go", 'echo "#!/bin/sh" > "$GOBIN/versitygw"; exec /bin/chmod +x "$GOBIN/versitygw"')
    here = replace(site, environ=bare)
    plan = plan_installation([GATEWAY], here, is_root=False)
    assert plan.commands == (("go", "install", "example.org/gateway@v1"),)
    assert here.program("versitygw") is None
    run_installation(plan, here)
    assert here.program("versitygw") == str(here.artefacts.programs / "versitygw")


def test_an_installation_that_fails_is_told_with_what_it_said(
    site: Site, bare: dict[str, str], pretend: Pretend
) -> None:
    pretend("go", "echo no such module; exit 2")
    plan = plan_installation([GATEWAY], replace(site, environ=bare), is_root=False)
    with pytest.raises(ServiceError, match=r"(?s)`go install .*` failed with exit code 2\..*no such module"):
        run_installation(plan, replace(site, environ=bare))
