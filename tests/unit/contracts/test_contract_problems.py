"""A contract that is wrong fails before anything runs, naming line and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from .shops import HEAD, SCHEMA, SERVERS, load, problems, table_problems, write_shop


def custom(name: str, value: str) -> str:
    return f"      - property: {name}\n        value: {value}\n"


def listed(*properties: str) -> str:
    """Properties from `name; key: value; …`."""
    return "".join("      - name: " + text.replace("; ", "\n        ") + "\n" for text in properties)


def orders(*extra: str, properties: str = "", quality: str = "") -> str:
    head = "schema:\n  - name: orders\n"
    customs = f"    customProperties:\n{''.join(extra)}" if extra else ""
    rules = f"    quality:\n{quality}" if quality else ""
    columns = properties or listed("order_id", "ordered_at", "order_amount")
    return f"{head}    properties:\n{columns}{customs}{rules}"


def rule(expression: str, name: str = "it_is_right", extra: str = "") -> str:
    head = f"      - name: {name}\n        type: custom\n        engine: aura\n"
    return f'{head}        implementation: "{expression}"\n{extra}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HEAD.replace("id: shop-orders\n", ""), "table.odcs.yaml:1: 'id' is missing. Add id: a name that is unique"),
        (HEAD.replace("1.0.0", "1.0"), "table.odcs.yaml:4: 'version' is 1.0 and has to be text. Quote it."),
        (
            HEAD.replace("DataContract", "Contract"),
            "table.odcs.yaml:2: 'Contract' is not a value of 'kind'. Did you mean",
        ),
        (HEAD.replace("v3.2.0", "v3.9.9"), "table.odcs.yaml:1: 'v3.9.9' is not a value of 'apiVersion'."),
        (
            HEAD + "statuss: x\n",
            "table.odcs.yaml:6: the key 'statuss' is not in the standard here.",
        ),
    ],
)
def test_what_is_not_odcs_is_named(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(write_shop(tmp_path, table=text + SERVERS + SCHEMA))
    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (orders(quality=rule("order_amount > 0", extra="        severty: warn\n")),
         "12: the key 'severty' is not in the standard here. Did you mean 'severity'?"),
        (orders(quality=rule("order_amount > 0", extra="        severity: warning\n")),
         "12: the severity 'warning' is not known here. Did you mean 'warn'?"),
        (orders(quality=rule("order_amont > 0")),
         "11: the rule 'it_is_right' is wrong: In the expression, character 1: there is no column 'order_amont'. "
         "Did you mean 'order_amount'? There are:"),
        (orders(quality=rule("order_amount > 'x'")),
         "11: the rule 'it_is_right' is wrong: In the expression, character 1: it compares decimal(18,4) with text."),
        (orders(quality=rule("order_amount + 1")),
         "11: the rule 'it_is_right' is wrong: it is a value of type Decimal(precision=19, scale=4),"),
        (orders(quality=rule("1 = 1")), "11: the rule 'it_is_right' is wrong: it names no column."),
        (orders(quality=rule("sum(order_amount) > 0")), "11: the rule 'it_is_right' is wrong: 'sum',"),
        (orders(quality=rule("order_amount > 0", name="Positive")), "8: 'Positive' cannot name a rule."),
        (orders(quality=rule("order_amount > 0", name="positive")), "8: 'positive' cannot name a rule."),
        (orders(quality=rule("order_amount > 0") * 2), "2: two rules are named 'it_is_right'."),
        (orders(quality=rule("order_id <> ''", name="order_id_is_present")),
         "2: two rules are named 'order_id_is_present'."),
        (orders(quality="      - type: sql\n        query: select 1\n"), "8: SQL queries are not run as rules."),
        (orders(quality="      - type: custom\n        engine: soda\n        implementation: x\n"),
         "9: rules of the engine 'soda' are not run. Write engine: aura"),
        (orders(quality="      - metric: nullValues\n        mustBe: 0\n"), "8: the metric 'nullValues'"),
        (orders(custom("kind", "row")), "9: 'kind' is 'row'. Did you mean 'rows'?"),
        (orders(custom("knd", "rows")), "8: the custom property 'knd' means nothing here. Did you mean 'kind'?"),
        (orders(custom("kind", "rows"), custom("kind", "cdc")), "10: 'kind' stands twice here."),
        (orders(custom("kind", "events")), "2: events have no key: each record happened once."),
        (orders(custom("ordering", "ordered")), "9: 'ordering' names the column 'ordered',"),
        (orders(custom("kind", "cdc"), custom("ordering", "ordered_at")),
         "11: 'ordering' is for tables of kind rows, and this one is cdc."),
        (orders(custom("eventId", "[order_id]")), "9: 'eventId' is for tables of kind events, and this one is rows."),
        (orders(custom("decimals", "precise")), "9: 'decimals' is for tables of kind cdc, and this one is rows."),
        (orders(custom("kind", "cdc"), custom("decimals", "exact")), "11: 'decimals' is 'exact'."),
        (orders(custom("period", "order_id")), "9: 'period' names 'order_id', which is string."),
        (orders(custom("errorBudget", "5")), "9: the error budget is 5.0. 0.01 lets one record in 100 wait."),
        (orders(custom("errorBudget", "much")), "9: 'errorBudget' is 'much' and has to be a number."),
        (orders(custom("filter", "read_csv(x)")), "9: the filter is wrong: 'read_csv',"),
        (orders(custom("filter", "price > 0")), "9: the filter is wrong: In the expression,"),
        (orders(custom("filter", "upper(x)")), "9: the filter is wrong: it is a value of type String,"),
        (orders(properties=listed("order_id; required: false")),
         "5: 'order_id' is part of the key and required: false."),
        (orders(properties=listed("ordered_at")), "2: the key column 'order_id'"),
        (orders(properties=listed("order_id", "user_id; primaryKey: true; primaryKeyPosition: 2")),
         "2: 'user_id' is part of the key, and the key in the commerce model is order_id. Leave primaryKey out"),
        (orders(properties=listed("order_id", "ordered_at; logicalType: string")),
         "6: 'ordered_at' is timestamp in the commerce model, not string. Write logicalType: timestamp"),
        (orders(properties=listed("order_id", "extra")),
         "5: 'extra' has no logicalType that silver knows. Add logicalType: one of"),
        (orders(properties=listed("order_id", "extra; logicalType: strin")),
         "6: 'strin' is not a value of 'logicalType'. Did you mean 'string'?"),
        (orders(properties=listed("order_id", "extra; logicalType: number; physicalType: numeric(60,2)")),
         "7: 'numeric(60,2)' is not a decimal of 1 to 38 digits."),
        (orders(properties=listed("order_id", "order_id")), "5: two columns would stand in silver as 'order_id'."),
        (orders(properties=listed("order_id", "verdict; logicalType: string")),
         "5: 'verdict' is a column that the log or the history has of its own."),
        (orders(properties=listed("order_id; transformLogic: a || b; physicalName: c")),
         "5: 'order_id' is computed by transformLogic and also read from a field."),
        (orders(properties=listed("order_id", "order_amount; transformLogic: cast(x as double) / 100")),
         "6: the transformLogic of 'order_amount' is wrong: it gives Float64, and the column is number (Decimal"),
        (orders(properties=listed("order_id", "ordered_at; transformLogic: lenght(x)")),
         "6: the transformLogic of 'ordered_at' is wrong: 'lenght', character 1 is not part of the rule language."),
        (orders(properties=listed("order_id", "user_id; classification: persnal")),
         "6: the classification 'persnal' does not say whether 'user_id' is personal. Did you mean 'personal'?"),
        (orders(properties=listed("order_id", "user_id; classification: PII")),
         "6: 'user_id' stands readable in the commerce model and is classified 'PII' here."),
        (orders(properties=listed("order_id", "order_status; enum: [{value: canceled}]")),
         "6: 'canceled' is not one of the values the commerce model knows. Did you mean 'cancelled'?"),
        (orders(properties=listed("order_id", "a; logicalType: object; properties: [{name: b}]")),
         "7: 'a' holds 'properties', and columns are flat."),
        (orders(properties=listed("order_id; relationships: [{to: users.user_idd}]")),
         "2: the rule 'order_id_is_known_in_users' refers to 'users.user_idd', which no contract has."),
        (orders(properties=listed("order_id", "ordered_at; logicalTypeOptions: {defaultTimezone: CET1}")),
         "6: there is no time zone 'CET1'."),
        ("schema:\n  - name: ../../x\n    properties:\n      - name: a\n        logicalType: string\n",
         "2: '../../x' cannot name a table."),
        ("schema:\n  - name: orders_history\n    properties:\n      - name: a\n        logicalType: string\n",
         "2: the table 'orders_history' would hide another"),
        ("schema:\n  - name: order_touchpoints\n    properties:\n      - name: order_id\n",
         "2: 'order_touchpoints' is computed by Aura Lake and takes no records."),
        ("schema:\n  - name: visits\n    customProperties:\n      - property: kind\n        value: cdc\n"
         "    properties:\n      - name: a\n        logicalType: string\n",
         "2: a table of kind cdc needs a key. In this table mark the key's columns with primaryKey: true"),
        ("schema:\n  - name: visits\n", "2: the table has no columns."),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_the_model_is_named(tmp_path: Path, schema: str, problem: str) -> None:
    found = table_problems(tmp_path, schema)
    assert any(line.startswith(problem) or f" {problem}" in line for line in found), found


def test_a_good_contract_has_no_problem(tmp_path: Path) -> None:
    good = orders(custom("ordering", "ordered_at"), quality=rule("order_amount > 0", extra="        severity: block\n"))
    assert "orders" in load(write_shop(tmp_path, table=HEAD + SERVERS + good)).contracts
