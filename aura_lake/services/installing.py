"""What to install before services can run, by which commands, and what a person has to install."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aura_lake.errors import ServiceError
from aura_lake.services.service import Missing
from aura_lake.services.site import Site


@dataclass(frozen=True)
class Installation:
    """What can be done here (`commands`, with `variables` beside the environment), and what cannot (`by_hand`)."""

    commands: tuple[tuple[str, ...], ...]
    variables: Mapping[str, str]
    by_hand: tuple[Missing, ...]


def plan_installation(missing: Sequence[Missing], site: Site, *, is_root: bool | None = None) -> Installation:
    """How to get the programs that are missing: apt-get where we are root on Debian, `go install` where there is Go.

    Programs by Go are put into the cache folder, so that PATH need not change.
    """
    may_apt = (os.geteuid() == 0 if is_root is None else is_root) and site.program("apt-get") is not None
    has_go = site.program("go") is not None
    by_apt = [one for one in missing if one.apt and may_apt]
    by_go = [one for one in missing if one.go and has_go and one not in by_apt]
    commands: list[tuple[str, ...]] = []
    if by_apt:
        packages = sorted({one.apt for one in by_apt})
        commands += [
            ("apt-get", "update", "--quiet"),
            ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages),
        ]
    commands += [("go", "install", one.go) for one in by_go]
    variables = {
        "DEBIAN_FRONTEND": "noninteractive",
        "GOBIN": str(site.artefacts.programs),
        "GOFLAGS": "-modcacherw",
    }
    by_hand = tuple(one for one in missing if one not in by_apt and one not in by_go)
    return Installation(tuple(commands), variables, by_hand)


def run_installation(plan: Installation, site: Site) -> None:
    """Run the plan's commands; what they say goes to a log file. Raises ServiceError naming the command."""
    log = site.root / "run" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    site.artefacts.programs.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as lines:
        for command in plan.commands:
            program = site.program(command[0]) or command[0]
            environ = {**site.environ, **plan.variables}
            ran = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                env=environ,
                check=False,
            )
            if ran.returncode != 0:
                raise ServiceError(
                    f"`{' '.join(command)}` failed with exit code {ran.returncode}.{_end_of(log)}",
                    fix="Mend what it names, or install by hand; then run `aura services up` again.",
                )


def how_by_hand(one: Missing) -> str:
    """What a person would type or read to get the program."""
    ways = [f"Debian: apt-get install {one.apt}"] if one.apt else []
    ways += [f"macOS: brew install {one.brew}"] if one.brew else []
    ways += [f"with Go (https://go.dev/dl): go install {one.go}"] if one.go else []
    return "; ".join(ways)


def _end_of(log: Path) -> str:
    return f" The end of {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-10:])
