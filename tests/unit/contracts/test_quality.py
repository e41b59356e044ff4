from __future__ import annotations

from pathlib import Path

from aura_lake.contracts.contract import Contract, RowRule, Severity, TableRule

from .shops import HEAD, SERVERS, load, load_table, problems, write_shop


def contract(folder: Path, more: str, *, amount: str = "", head: str = HEAD) -> Contract:
    """A contract of orders; `amount` continues the property order_amount, `more` the table."""
    schema = f"schema:\n  - name: orders\n    properties:\n      - name: order_id\n      - name: order_amount\n{amount}"
    schema += "      - name: user_id\n      - name: ordered_at\n" + more
    (found,) = load(write_shop(folder, table=head + SERVERS + schema)).contracts.values()
    return found


def test_a_row_rule_is_an_expression_with_a_sentence_for_a_name(tmp_path: Path) -> None:
    rules = contract(
        tmp_path,
        """\
    quality:
      - name: order_amount_is_positive
        type: custom
        engine: aura
        implementation: order_amount > 0
        description: Free orders go through another system.
        severity: block
      - name: amount_of_a_user_is_small
        type: custom
        engine: aura
        implementation: user_id is null or order_amount < 1000
      - type: text
        description: Orders are checked by hand in January.
""",
    ).row_rules
    assert rules == (
        RowRule(
            "order_amount_is_positive",
            "order_amount > 0",
            Severity.BLOCK,
            "Free orders go through another system.",
        ),
        RowRule("amount_of_a_user_is_small", "user_id is null or order_amount < 1000", Severity.QUARANTINE),
    )


def test_a_rule_may_stand_under_its_column(tmp_path: Path) -> None:
    amount = (
        "        quality:\n          - {type: custom, engine: aura, name: amount_is_round, severity: warn, "
        "implementation: 'order_amount = round(order_amount)'}\n"
    )
    assert contract(tmp_path, "", amount=amount).row_rules == (
        RowRule("amount_is_round", "order_amount = round(order_amount)", Severity.WARN),
    )


def test_limits_of_a_logical_type_are_row_rules(tmp_path: Path) -> None:
    schema = """\
schema:
  - name: orders
    properties:
      - name: order_id
        logicalTypeOptions: {minLength: 3, maxLength: 40, pattern: "^[A-Z0-9'-]+$", format: uuid}
      - name: order_amount
        logicalTypeOptions: {minimum: 0.5, exclusiveMaximum: 1000}
      - name: ordered_at
        logicalTypeOptions: {minimum: "2016-01-01"}
"""
    rules = {rule.name: rule.expression for rule in load_table(tmp_path, schema).row_rules}
    assert rules == {
        "order_id_is_long_enough": 'length("order_id") >= 3',
        "order_id_is_short_enough": 'length("order_id") <= 40',
        "order_id_matches_its_pattern": "regexp_matches(\"order_id\", '^[A-Z0-9''-]+$')",
        "order_amount_is_at_least_its_minimum": '"order_amount" >= 0.5',
        "order_amount_is_below_its_maximum": '"order_amount" < 1000',
        "ordered_at_is_at_least_its_minimum": "\"ordered_at\" >= '2016-01-01'",
    }


def test_a_limit_that_is_not_judged_is_refused(tmp_path: Path) -> None:
    schema = "schema:\n  - name: orders\n    properties:\n      - name: order_id\n"
    schema += "      - name: order_amount\n        logicalTypeOptions: {multipleOf: 5}\n"
    assert problems(write_shop(tmp_path, table=HEAD + SERVERS + schema)) == [
        "table.odcs.yaml:16: the limit 'multipleOf' is not judged. Write it as a rule: quality with type: custom, "
        "engine: aura."
    ]


def test_metrics_of_one_value_are_row_rules_and_the_others_table_rules(tmp_path: Path) -> None:
    amount = """\
        quality:
          - {metric: nullValues, mustBe: 0, severity: warn}
          - {metric: duplicateValues, mustBe: 0}
          - {metric: invalidValues, mustBe: 0, arguments: {validValues: [1, 2.5]}}
"""
    more = """\
    quality:
      - {metric: rowCount, mustBeGreaterThan: 99, severity: block}
      - {metric: duplicateValues, mustBe: 0, arguments: {properties: [user_id, ordered_at]}, name: one_order_at_a_time}
"""
    found = contract(tmp_path, more, amount=amount)
    assert found.row_rules == (
        RowRule("order_amount_has_no_null_values", '"order_amount" is not null', Severity.WARN),
        RowRule("order_amount_has_no_invalid_values", '"order_amount" in (1, 2.5)', Severity.QUARANTINE),
    )
    assert found.table_rules == (
        TableRule("table_has_enough_rows", "volume", (), Severity.BLOCK, minimum=100),
        TableRule("one_order_at_a_time", "unique", ("user_id", "ordered_at")),
        TableRule("order_amount_is_unique", "unique", ("order_amount",)),
    )


def test_a_missing_value_is_null_or_blank(tmp_path: Path) -> None:
    schema = "schema:\n  - name: orders\n    properties:\n      - name: order_id\n      - name: user_id\n"
    schema += "        quality:\n          - {metric: missingValues, mustBe: 0}\n"
    (rule,) = load_table(tmp_path, schema).row_rules
    assert rule.expression == '"user_id" is not null and trim("user_id") <> \'\''


def test_unique_and_relationships_are_table_rules_that_warn(tmp_path: Path) -> None:
    amount = "        unique: true\n"
    more = """\
    relationships:
      - from: orders.user_id
        to: users.user_id
        customProperties: [{property: severity, value: block}]
"""
    assert contract(tmp_path, more, amount=amount).table_rules == (
        TableRule("user_id_is_known_in_users", "foreign_key", ("user_id",), Severity.BLOCK, references="users.user_id"),
        TableRule("order_amount_is_unique", "unique", ("order_amount",)),
    )


def test_a_freshness_sla_is_a_table_rule(tmp_path: Path) -> None:
    head = HEAD + "slaProperties:\n  - {property: freshness, value: 2, unit: d, element: orders.ordered_at}\n"
    head += "  - {property: retention, value: 3, unit: y}\n"
    assert contract(tmp_path, "", head=head).table_rules == (
        TableRule("ordered_at_is_fresh", "freshness", ("ordered_at",), max_age_hours=48.0),
    )


def test_a_freshness_of_no_timestamp_is_refused(tmp_path: Path) -> None:
    head = HEAD + "slaProperties:\n  - {property: freshness, value: 2, unit: d, element: orders.order_id}\n"
    schema = "schema:\n  - name: orders\n    properties:\n      - name: order_id\n      - name: ordered_at\n"
    assert problems(write_shop(tmp_path, table=head + SERVERS + schema)) == [
        "table.odcs.yaml:7: the freshness of 'order_id' cannot be told. Did you mean 'ordered_at'? Name a timestamp "
        "column in element."
    ]


def test_a_share_of_bad_rows_is_an_error_budget_and_no_metric(tmp_path: Path) -> None:
    schema = "schema:\n  - name: orders\n    properties:\n      - name: order_id\n"
    schema += "        quality:\n          - {metric: nullValues, mustBeLessThan: 5, unit: percent}\n"
    (found,) = problems(write_shop(tmp_path, table=HEAD + SERVERS + schema))
    assert "the metric 'nullValues' is judged row by row: none may break it. Write mustBe: 0." in found
