"""Ways to break Aura Lake on purpose, one line each, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sabotage:
    """In `file`, `before` becomes `after`; then the tests in `caught_by` must fail."""

    name: str
    file: str
    before: str
    after: str
    caught_by: tuple[str, ...]


CASES = ("tests/cases", "-k")

SABOTAGES = [
    Sabotage(
        "forget the txn of a commit",
        "aura_lake/delta/commit.py",
        "app_transactions=[Transaction(name, after) for name, (_, after) in watermarks.items()],",
        "app_transactions=[],",
        (*CASES, "case_001 or case_079 or case_080"),
    ),
    Sabotage(
        "let a watermark move anywhere",
        "aura_lake/delta/commit.py",
        "if standing != before or after <= before:",
        "if False:",
        (*CASES, "case_079 or case_080 or case_081"),
    ),
    Sabotage(
        "write through a fresh snapshot, as a write by URI does",
        "aura_lake/delta/commit.py",
        "            table.delta.create_write_transaction(",
        "            __import__('deltalake').DeltaTable(table.uri).create_write_transaction(",
        (*CASES, "case_079 or case_080 or case_084"),
    ),
    Sabotage(
        "accept any column type",
        "aura_lake/delta/commit.py",
        "        self._refuse_another_schema(frame)\n",
        "",
        (*CASES, "case_087 or case_088"),
    ),
    Sabotage(
        "take a damaged log for an empty one",
        "aura_lake/delta/table.py",
        "        self._refuse_a_damaged_log()\n",
        "",
        (*CASES, "case_089"),
    ),
    Sabotage(
        "drop the row rules",
        "aura_lake/contracts/judge.py",
        "        self._judge_rules(typed)\n",
        "",
        ("tests/flow/test_demo_truth.py",),
    ),
    Sabotage(
        "forget that a column is required",
        "aura_lake/contracts/judge.py",
        "        elif column.required:",
        "        elif False:",
        ("tests/flow/test_demo_truth.py",),
    ),
    Sabotage(
        "take a string for a number",
        "aura_lake/contracts/cast.py",
        'allowed_kinds = ["integer", "number", "text"]',
        'allowed_kinds = ["integer", "number", "text", "string"]',
        ("tests/flow/test_demo_truth.py",),
    ),
    Sabotage(
        "round what does not fit a decimal",
        "aura_lake/contracts/cast.py",
        "return held if lossy or held == value else None",
        "return held",
        (*CASES, "case_033"),
    ),
    Sabotage(
        "take an infinite time for a number",
        "aura_lake/contracts/cast.py",
        "last = INFINITE_FROM_MICROS - 1 if factor == 1 else PG_LAST_MICROS // factor",
        "last = 2**63 - 1",
        (*CASES, "case_037"),
    ),
    Sabotage(
        "ignore deletes",
        "aura_lake/cdc/fold.py",
        '_gone=pl.col("_op").is_in(["d", "t"])',
        '_gone=pl.col("_op").is_in(["t"])',
        ("tests/laws", *CASES, "case_010 or case_012 or database_holds"),
    ),
    Sabotage(
        "forget truncates",
        "aura_lake/cdc/fold.py",
        "    if truncates.is_empty():",
        "    if True:",
        (*CASES, "case_018 or case_019"),
    ),
    Sabotage(
        "let the LSN of the lane stand for that of the row",
        "aura_lake/cdc/order.py",
        'pl.coalesce("_lsn", pl.col("_lsn").fill_null(-1).cum_max().over(lane))',
        'pl.col("_lsn").fill_null(-1).cum_max().over(lane)',
        ("tests/laws",),
    ),
    Sabotage(
        "order changes by arrival",
        "aura_lake/cdc/order.py",
        '[*key, "_epoch", "_order_lsn", "_order_rank", *POSITION_ORDER]',
        "[*key, *POSITION_ORDER]",
        ("tests/laws",),
    ),
    Sabotage(
        "take a redelivery for a change",
        "aura_lake/contracts/verdicts.py",
        "    if not columns:\n        return judged",
        "    if True:\n        return judged",
        (*CASES, "case_001"),
    ),
    Sabotage(
        "tell a change by its LSN alone",
        "aura_lake/contracts/verdicts.py",
        'return [*contract.key, "_epoch", "_lsn", "_op"]',
        'return ["_lsn"]',
        (*CASES, "case_003"),
    ),
    Sabotage(
        "read an object that is still uploading",
        "aura_lake/outside/objects.py",
        "if size == 0",
        "if size == -1",
        (*CASES, "case_067"),
    ),
    Sabotage(
        "land a byte-equal copy again",
        "aura_lake/steps/land.py",
        "copy_of = None if error else self._by_hash.get(records.sha256)",
        "copy_of = None",
        ("tests/cases", "tests/flow/test_uci.py", "-k", "case_066 or any_days_file_again"),
    ),
    Sabotage(
        "hash personal values without the key",
        "aura_lake/privacy/hash.py",
        "hmac.digest(key.secret, canonical.encode(), 'sha256').hex()",
        "__import__('hashlib').sha256(canonical.encode()).hexdigest()",
        ("tests/unit/privacy",),
    ),
    Sabotage(
        "load the warehouse without its watermark",
        "aura_lake/warehouse/duckdb_warehouse.py",
        "where table_name = $",
        "where 1 = 1 or table_name = $",
        ("tests/unit/warehouse", "-k", "again_is_refused or killed or touched"),
    ),
    Sabotage(
        "credit direct visits",
        "aura_lake/commerce/touchpoints.py",
        'DIRECT = "direct"',
        'DIRECT = "straight"',
        ("tests/flow/test_demo_truth.py",),
    ),
    Sabotage(
        "credit a click of a month ago",
        "aura_lake/commerce/touchpoints.py",
        "LOOKBACK = timedelta(days=7)",
        "LOOKBACK = timedelta(days=30)",
        ("tests/unit/commerce/test_revenue_and_touchpoints.py",),
    ),
    Sabotage(
        "count the revenue of cancelled orders",
        "aura_lake/commerce/revenue.py",
        'WITHOUT_REVENUE = ("cancelled", "unavailable")',
        "WITHOUT_REVENUE = ()",
        ("tests/flow/test_demo_truth.py", "tests/unit"),
    ),
    Sabotage(
        "forget what was discarded",
        "aura_lake/steps/unit_judge.py",
        "return discard(judged, self._discarded)",
        "return judged",
        (*CASES, "case_100"),
    ),
    Sabotage(
        "append judgements that say the same",
        "aura_lake/steps/rejudge.py",
        "changed = both.filter(is_new | pl.any_horizontal(differs))",
        "changed = both",
        (*CASES, "case_097"),
    ),
    Sabotage(
        "let a changed type pass by publication, enforced or not",
        "aura_lake/contracts/blocking.py",
        "for column in contract.columns if contract.is_enforced else ():",
        "for column in ():",
        ("tests/unit/contracts/test_sql_contract.py", "-k", "changed_type"),
    ),
    Sabotage(
        "count a shadow's batches again and again",
        "aura_lake/steps/shadow.py",
        'if same and each["to"] < first]',
        "if same]",
        ("tests/unit/cli/test_contract_shadow.py",),
    ),
]
