"""`CREATE DATA CONTRACT`: what is read of it, what is refused, and what it does to rows."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from aura_lake.contracts.load import load_shop
from aura_lake.contracts.problems import ContractProblemsError
from aura_lake.contracts.sql_contract import Mode, read_sql
from aura_lake.contracts.sql_install import install, translate
from aura_lake.contracts.sql_odcs import to_odcs
from aura_lake.contracts.verdicts import standing_rows
from aura_lake.errors import ContractError
from aura_lake.lake import Lake
from aura_lake.settings import Settings
from aura_lake.steps.blocks import blocked_tables
from aura_lake.steps.judge import judge
from aura_lake.steps.land import land

#: As a page shows it: `>` is escaped there.
ORDERS = """\
-- Orders
CREATE DATA CONTRACT silver_orders_contract
ON TABLE silver.stg_orders (
    order_id STRUCT<uuid> NOT NULL UNIQUE,
    user_id STRUCT<uuid> NOT NULL,
    order_amount FLOAT &gt; 0.0,
    status STRING IN ('pending', 'shipped', 'delivered', 'cancelled')
)
ENFORCEMENT MODE BLOCK;
"""

FILE = Path("orders.sql")


def problems(text: str) -> list[str]:
    with pytest.raises(ContractProblemsError) as caught:
        read_sql(text, FILE)
    return [str(problem) for problem in caught.value.problems]


def statement(columns: str, mode: str = "ENFORCEMENT MODE QUARANTINE") -> str:
    return f"CREATE DATA CONTRACT parts_contract ON TABLE parts (\n{columns}\n) {mode};"


def rules(text: str) -> dict[str, tuple[str, str]]:
    (contract,) = read_sql(text, FILE)
    quality = to_odcs(contract, "shop")["schema"][0].get("quality", [])
    return {rule["name"]: (rule.get("implementation", "unique"), rule["severity"]) for rule in quality}


def test_columns_types_and_conditions_are_read() -> None:
    (contract,) = read_sql(ORDERS, FILE)
    assert (contract.name, contract.table, contract.mode) == ("silver_orders_contract", "silver.stg_orders", Mode.BLOCK)
    order_id, user_id, amount, status = contract.columns
    assert (order_id.is_uuid, order_id.required, order_id.unique) == (True, True, True)
    assert (user_id.required, user_id.unique) == (True, False)
    assert amount.conditions == [(6, "order_amount > 0.0")]
    assert status.values == ("pending", "shipped", "delivered", "cancelled")


def test_each_condition_becomes_a_rule_with_a_name_that_says_it() -> None:
    text = statement(
        "part_id INT PRIMARY KEY, size INT >= 0 AND <= 90, share DECIMAL(5,4) BETWEEN 0 AND 1 NOT NULL,\n"
        "code VARCHAR(8) UNIQUE COMMENT 'Its code', weight DOUBLE CHECK (weight > size),\n"
        "CONSTRAINT small CHECK (size < 9)"
    )
    assert rules(text) == {
        "size_is_not_negative": ("size >= 0", "quarantine"),
        "size_is_at_most_90": ("size <= 90", "quarantine"),
        "share_keeps_condition_1": ("share BETWEEN 0 AND 1", "quarantine"),
        "code_is_short_enough_for_8": ("length(code) <= 8", "quarantine"),
        "code_is_unique": ("unique", "warn"),
        "weight_keeps_condition_1": ("weight > size", "quarantine"),
        "small_of_parts_holds": ("size < 9", "quarantine"),
    }


def test_under_warn_no_value_rule_diverts() -> None:
    text = statement("part_id INT PRIMARY KEY, kind STRING NOT NULL IN ('a'), size INT > 0", "ENFORCEMENT MODE WARN")
    assert {severity for _, severity in rules(text).values()} == {"warn"}
    assert set(rules(text)) == {"kind_is_given", "kind_is_a_known_value", "size_is_positive"}


@pytest.mark.parametrize(
    ("columns", "line", "says"),
    [
        ("a INT,\nb MONEY", 3, "has the type 'MONEY', which is not known"),
        ("a INT,\nb STRUCT<city>", 3, "STRUCT<uuid> is expected"),
        ("a INT >", 3, "a value is expected"),
        ("a INT,\na INT", 3, "'a' stands twice"),
        ("a INT SOMETIMES", 2, "'SOMETIMES' stands where what has to hold of 'a'"),
        ("a INT CHECK (c > 1)", 2, "names 'c'"),
        ("a INT CHECK (a > (select 1))", 2, "is no rule"),
        ("a INT DEFAULT 4", 2, "'DEFAULT' stands where"),
        ("a STRING IN ('x)", 2, "a quote that begins here does not end"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(columns: str, line: int, says: str) -> None:
    (problem,) = problems(statement(columns))
    assert problem.startswith(f"orders.sql:{line}: ")
    assert says in problem


def test_every_bad_column_is_named_at_once_and_so_is_an_unknown_mode() -> None:
    assert len(problems(statement("a MONEY,\nb INT,\nc COIN"))) == 2
    assert "There are BLOCK, QUARANTINE, WARN." in problems(statement("a INT", "ENFORCEMENT MODE STOP"))[0]
    assert "expected" in problems("SELECT 1")[0]
    assert "no statement" in problems("-- nothing")[0]


def test_what_is_printed_loads_in_a_shop(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("id: mine\n")
    (tmp_path / "orders.odcs.yaml").write_text(translate(ORDERS, FILE)[0])
    contract = load_shop(tmp_path, "local", {}).contracts["orders"]
    assert contract.is_enforced
    assert "order_amount > 0" in {rule.expression for rule in contract.row_rules}
    assert contract.column("order_status").source == "status"


STANDING = """\
apiVersion: v3.2.0
kind: DataContract
id: mine-orders
version: 1.0.0
status: active
servers:
  - {server: orders, type: local, path: ../in, format: jsonl}
schema:
  - name: orders
    properties:
      - {name: order_id}
      - {name: order_status, physicalName: status}
      - {name: ordered_at, physicalName: placed}
"""

ONE, TWO = "0b1b0f5e-2f6c-4f6a-9a57-0d2b9f3f8a11", "7f0c7a8e-5d3c-4f0f-8a1c-1c9f52e2f6b2"


def shop_with(folder: Path, records: list[dict[str, object]]) -> Lake:
    """A lake whose orders contract was laid under the statement, with these orders judged."""
    for name in ("shop", "in"):
        (folder / name).mkdir()
    (folder / "shop" / "shop.yaml").write_text("id: mine\n")
    (folder / "shop" / "orders.odcs.yaml").write_text(STANDING)
    (folder / "in" / "1.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    install(ORDERS, FILE, folder / "shop", "local", {}, True)
    settings = Settings(folder, str(folder / "lake"), folder / "state", folder / "shop")
    lake = Lake(settings, load_shop(settings.shop, "local", {}))
    land(lake, lake.shop.feeds["orders"])
    judge(lake, lake.contract("orders"))
    return lake


def order(**more: object) -> dict[str, object]:
    return {"order_id": ONE, "user_id": TWO, "order_amount": 5.5, "status": "pending", "placed": None, **more}


def broken(lake: Lake) -> list[list[str]]:
    rows = standing_rows(lake.log(lake.contract("orders")), ["valid", "quarantined"]).collect().sort("ordinal")
    return [sorted(names) for names in rows.get_column("broken_rules").to_list()]


def test_value_rules_divert_rows_and_the_pipeline_goes_on(tmp_path: Path) -> None:
    lake = shop_with(tmp_path, [order(), order(order_amount=-1), order(user_id=None), order(status="lost")])
    assert broken(lake) == [
        [],
        ["order_amount_is_positive"],
        ["user_id_is_present"],
        ["order_status_is_an_allowed_value"],
    ]
    assert blocked_tables(lake) == {}
    assert lake.contract("orders").column("ordered_at").source == "placed"


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (order(order_amount="5.5"), "order_amount_is_a_number"),
        ({name: value for name, value in order().items() if name != "user_id"}, "user_id_is_in_the_record"),
        (order(user_id="17"), "user_id_is_a_uuid"),
    ],
)
def test_a_changed_type_or_a_missing_required_column_blocks(
    tmp_path: Path, record: dict[str, object], rule: str
) -> None:
    lake = shop_with(tmp_path, [order(order_id=TWO), record])
    assert rule in broken(lake)[1]
    assert rule in blocked_tables(lake)["orders"]
    assert standing_rows(lake.log(lake.contract("orders")), ["valid"]).select(pl.len()).collect().item() == 1


def test_a_table_that_has_a_contract_is_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("id: mine\n")
    file = tmp_path / "orders.odcs.yaml"
    file.write_text(STANDING)
    with pytest.raises(ContractError, match=r"has a contract, orders\.odcs\.yaml\. --replace"):
        install(ORDERS, FILE, tmp_path, "local", {}, False)
    other = ORDERS.replace("ON TABLE silver.stg_orders", "ON TABLE orders").replace("FLOAT &gt; 0.0", "BOOLEAN")
    with pytest.raises(ContractProblemsError, match="order_amount"):
        install(other, FILE, tmp_path, "local", {}, True)
    assert file.read_text() == STANDING
