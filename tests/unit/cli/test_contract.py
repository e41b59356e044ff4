"""`aura contract`: what another contract changes, would have done, and does in the shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.cli.conftest import Shell


def other(aura: Shell, before: str, after: str, name: str = "other.odcs.yaml") -> str:
    """The contract of things with one thing otherwise, outside the shop."""
    text = (aura.folder / "shop" / "things.odcs.yaml").read_text()
    assert before in text
    file = aura.folder / name
    file.write_text(text.replace(before, after))
    return str(file)


def test_a_diff_weighs_each_change_and_names_what_it_reaches(aura: Shell) -> None:
    file = other(aura, "logicalType: integer", "logicalType: number, required: true")
    found = aura.json("contract", "diff", "--installed", file)
    assert found["counts"] == {"breaking": 2, "widening": 0, "safe": 0}
    required, retyped = sorted(found["changes"], key=lambda change: str(change["says"]))[::-1]
    assert (retyped["what"], retyped["reaches"]) == ("size", ["silver.things.size"])
    assert required["reaches"] == ["silver.things"]
    assert aura("contract", "diff", "--installed", file)[0] == 0
    code, out, _ = aura("contract", "diff", "--installed", file, "--fail-on", "breaking")
    assert code == 1
    assert "2 breaking, 0 widening, 0 safe" in out


def test_a_diff_of_equal_folders_passes_whatever_is_to_fail(aura: Shell) -> None:
    shop = str(aura.folder / "shop")
    code, out, _ = aura("contract", "diff", shop, shop, "--fail-on", "widening")
    assert (code, "Nothing changes." in out) == (0, True)


def test_a_change_to_a_canonical_column_reaches_gold(aura: Shell) -> None:
    project = Path(__file__).resolve().parents[3]
    text = (project / "shops" / "aura_mart" / "orders.odcs.yaml").read_text()
    for name, written in (("old", text), ("new", text.replace("physicalName: created_at", "physicalName: placed_at"))):
        folder = aura.folder / name
        folder.mkdir()
        (folder / "shop.yaml").write_text("id: small\n")
        users = (project / "shops" / "aura_mart" / "users.odcs.yaml").read_text()
        (folder / "users.odcs.yaml").write_text(users)
        (folder / "orders.odcs.yaml").write_text(written)
    found: Any = aura.json("contract", "diff", str(aura.folder / "old"), str(aura.folder / "new"))
    (change,) = found["changes"]
    assert (change["weight"], change["what"]) == ("breaking", "ordered_at")
    assert "silver.orders.ordered_at" in change["reaches"]
    assert any(place.startswith("gold.fct_orders") for place in change["reaches"])
