"""Small answers kept in the state folder, which can be lost without harm: a JSON document, replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_kept(path: Path) -> dict[str, Any]:
    """The document, empty where there is none."""
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}


def keep(path: Path, document: Mapping[str, Any]) -> None:
    """Put the document in the place of the old one; a reader sees either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(document))
    temporary.replace(path)
