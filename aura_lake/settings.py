"""What the environment says, read once at an entry point into a frozen value.

Importing this module reads nothing. Everything below the command line and
`definitions.py` receives `Settings`; nothing else looks at the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.errors import SettingsError

WAREHOUSES = ("duckdb", "snowflake")


@dataclass(frozen=True)
class Settings:
    """Where the lake, its state and its contracts are.

    `home` is an absolute local path or `s3://bucket/prefix`. `environ` is the environment
    the settings were read from: contracts expand `${VAR}` in it, boto3 reads its own.
    """

    project: Path
    home: str
    state: Path
    shop: Path
    warehouse: str = "duckdb"
    environment: str = "local"
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the lake lies in a local folder."""
        return "://" not in self.home

    def uri(self, *parts: str) -> str:
        """A place inside the lake: `uri("silver", "orders")`."""
        return "/".join([self.home.rstrip("/"), *parts])

    @staticmethod
    def from_environment(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
        """Settings from `AURA_*` variables. Raises SettingsError naming the variable and the fix."""
        env = dict(os.environ if environ is None else environ)
        project = find_project(env, cwd or Path.cwd())
        home = env.get("AURA_HOME", ".aura").strip()
        if "://" in home:
            if not home.startswith("s3://") or len(home) < len("s3://b"):
                raise SettingsError(
                    f"AURA_HOME={home!r} is neither a local path nor s3://bucket/prefix.",
                    fix="Set AURA_HOME to a folder, or to s3://bucket/prefix.",
                )
            home = home.rstrip("/")
            state = env.get("AURA_STATE") or str(project / ".aura-state")
        else:
            home = str(_absolute(home, project))
            state = env.get("AURA_STATE") or str(Path(home) / "state")
        warehouse = env.get("AURA_WAREHOUSE", "duckdb")
        if warehouse not in WAREHOUSES:
            raise SettingsError(
                f"AURA_WAREHOUSE={warehouse!r} is not a warehouse Aura Lake knows.",
                fix=f"Use one of: {', '.join(WAREHOUSES)}.",
            )
        shop = _absolute(env.get("AURA_SHOP", str(project / "shops" / "aura_mart")), project)
        if not shop.is_dir():
            raise SettingsError(
                f"AURA_SHOP: there is no folder {shop}.",
                fix="Point AURA_SHOP at a folder of contracts (*.odcs.yaml with a shop.yaml); "
                "`aura init SHOP --from FOLDER` drafts one.",
            )
        # The demo shop's records lie in the lake's own folder, unless the environment says where.
        env.setdefault("AURA_MART_DATA", f"{home}/landing")
        return Settings(
            project=project,
            home=home,
            state=_absolute(state, project),
            shop=shop,
            warehouse=warehouse,
            environment=env.get("AURA_ENV", "local"),
            environ=env,
        )


def find_project(environ: Mapping[str, str], cwd: Path) -> Path:
    """The folder with `workspace.yaml`: AURA_PROJECT, else the working folder or one above it."""
    named = environ.get("AURA_PROJECT")
    candidates = [Path(named).expanduser().resolve()] if named else [cwd, *cwd.parents]
    for folder in candidates:
        if (folder / "workspace.yaml").is_file():
            return folder
    raise SettingsError(
        f"No workspace.yaml in {candidates[0]}" + ("." if named else " or above it."),
        fix="Run inside the project's folder, or set AURA_PROJECT to it.",
    )


def _absolute(path: str, base: Path) -> Path:
    given = Path(path).expanduser()
    return given if given.is_absolute() else (base / given).resolve()
