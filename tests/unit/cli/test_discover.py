"""`aura discover`: what was found, and what a person says to it."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Shell


@pytest.fixture
def found(aura: Shell) -> Shell:
    """The small shop, whose landing folder is named, and one folder beside its feed."""
    shop = aura.folder / "shop" / "shop.yaml"
    shop.write_text(shop.read_text() + "discovery: {roots: [../landing]}\n")
    place = aura.folder / "landing" / "reviews"
    place.mkdir(parents=True)
    rows = [{"review_id": f"r{n}", "email": f"u{n}@x.example"} for n in range(5)]
    (place / "1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return aura


def test_nothing_is_told_before_the_first_look(found: Shell) -> None:
    code, out, _ = found("discover")
    assert code == 0
    assert "Looked: never" in out


def test_a_look_lands_and_lists_with_what_looks_personal(found: Shell) -> None:
    code, out, _ = found("discover", "look")
    assert code == 0
    assert "1 new, 5 records landed." in out
    assert "drafts/reviews.odcs.yaml" in out
    (row,) = found.json("discover", "list")["found"].values()
    assert (row["name"], row["landed"], row["personal"]) == ("reviews", 5, ["email"])
    assert "reviews" in found("status")[1]
    assert "5" in found("query", "select count(*) as n from bronze.reviews where row_kind = 'record'")[1]


def test_what_is_accepted_is_a_contract(found: Shell) -> None:
    found("discover", "look")
    code, _, err = found("discover", "accept", "reviews", "--reason", "wanted")
    assert (code, "is a contract now" in err) == (0, True)
    assert (found.folder / "shop" / "reviews.odcs.yaml").is_file()
    assert found.json("discover", "list")["found"] == {}
    assert "aura discover" not in found("status")[1]


def test_what_is_ignored_is_listed_only_when_asked(found: Shell) -> None:
    found("discover", "look")
    assert found("discover", "ignore", "reviews")[0] == 2, "a reason is asked for"
    assert found("discover", "ignore", "reviews", "--reason", "another team's")[0] == 0
    assert "reviews" not in found("discover")[1]
    assert "ignored" in found("discover", "list", "--all")[1]


def test_a_name_that_was_not_found_is_told_with_those_that_were(found: Shell) -> None:
    found("discover", "look")
    code, _, err = found("discover", "accept", "revews")
    assert code == 1
    assert "Found: reviews" in err
