"""A small shop as files, a lake of it, and the command line on both, without a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aura_lake.cli.app import main
from aura_lake.contracts.load import load_shop
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.steps.land import land
from aura_lake.steps.pipeline import refresh_silver
from tests.changes import change, write_lines

PROJECT = Path(__file__).resolve().parents[3]

SHOP = "id: small\n"
THINGS = """
apiVersion: v3.2.0
kind: DataContract
id: small-things
version: 1.0.0
status: active
servers:
  - {server: things, type: local, path: ../things, format: jsonl}
schema:
  - name: things
    customProperties:
      - {property: kind, value: cdc}
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: word, logicalType: string}
      - {name: size, logicalType: integer}
    quality:
      - {name: size_is_positive, type: custom, engine: aura, implementation: size > 0, severity: quarantine}
"""


@dataclass
class Shell:
    """What a terminal is: commands in, text and exit codes out."""

    folder: Path
    _capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of `aura` with these words."""
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = self._capture.readouterr()
        return int(ended.value.code or 0), out, err

    def json(self, *words: str) -> Any:
        """What a command prints as JSON."""
        code, out, err = self(*words, "--format", "json")
        assert out, (code, err)
        return json.loads(out)


def write_shop(folder: Path) -> None:
    """The contracts and two objects of records."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "shop.yaml").write_text(SHOP)
    (folder / "shop" / "things.odcs.yaml").write_text(THINGS.lstrip())
    first = [change("c", 1, "a", "apple", 1), change("u", 2, "a", "axe", 2), change("c", 3, "b", "bird", -1), b"{"]
    write_lines(folder / "things", "1.jsonl", first)


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with its lake, run once. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("small")
    write_shop(folder)
    settings = Settings(PROJECT, str(folder / "lake"), folder / "lake" / "state", folder / "shop")
    lake = Lake(settings, load_shop(settings.shop, "local", {}))
    for feed in lake.shop.feeds.values():
        land(lake, feed)
    for contract in lake.shop.contracts.values():
        refresh_silver(lake, contract)
    return folder


Enter = Callable[[Path], Shell]


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Enter:
    """A shell in a folder with a shop."""

    def go(folder: Path) -> Shell:
        for name in ("AURA_STATE", "AURA_PII_KEY", "AURA_ENV", "AURA_WAREHOUSE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AURA_PROJECT", str(PROJECT))
        monkeypatch.setenv("AURA_HOME", str(folder / "lake"))
        monkeypatch.setenv("AURA_SHOP", str(folder / "shop"))
        return Shell(folder, capsys)

    return go


@pytest.fixture
def aura(small_shop: Path, tmp_path: Path, enter: Enter) -> Shell:
    """A shell in a copy of the small shop."""
    shutil.copytree(small_shop, tmp_path, dirs_exist_ok=True)
    return enter(tmp_path)
