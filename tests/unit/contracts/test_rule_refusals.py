from __future__ import annotations

import contextlib

import polars as pl
import pytest

from aura_lake.contracts.rules import parse_expression
from aura_lake.errors import ContractError

DTYPES: dict[str, pl.DataType] = {
    "amount": pl.Decimal(18, 4),
    "price": pl.Float64(),
    "quantity": pl.Int64(),
    "status": pl.String(),
    "ordered_at": pl.Datetime("us", "UTC"),
    "tags": pl.List(pl.String()),
}


def refusal(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        parse_expression(text).to_polars(DTYPES)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("amount > (select max(amount) from orders)", "'subquery', character 18 is not part of the rule language"),
        ("exists (select 1)", "'exists'"),
        ("sum(amount) > 0", "'sum', character 1 is not part of the rule language"),
        ("row_number() over () = 1", "'window'"),
        ("read_csv('/etc/passwd')", "'read_csv', character 1"),
        ("*", "'*'"),
        ("amount > ?", "'a parameter'"),
        ("amount > $1", "'$', character 10"),
        ("amount b", "two values side by side"),
        ("select 1", "'select'"),
        ("amount > 0; drop table orders", "2 statements"),
        ("", "the expression is empty"),
        ("-- amount > 0", "the expression is empty"),
        ("amount >", "does not parse at character 8"),
        ("status -> 'a' = 'b'", "'->', character 8, is not part of the rule language"),
        ("status = any(['a'])", "'any', character 10"),
        ("status['a'] = 'b'", "'[', character 7"),
        ("random() > 0.5", "'rand"),
        ("current_date > ordered_at", "'current_date'"),
        ("with x as (select 1) select 1", "'with'"),
    ],
)
def test_what_is_not_on_the_list_is_refused_with_its_place(text: str, what: str) -> None:
    assert what.lower() in refusal(text).lower()


def test_a_refused_function_is_answered_with_the_nearest_and_the_whole_list() -> None:
    message = refusal("lenght(status) > 3")
    assert "'lenght', character 1 is not part of the rule language." in message
    assert "Did you mean length?" in message
    assert "regexp_matches" in message


def test_a_word_that_the_parser_takes_for_a_function_can_be_quoted() -> None:
    assert 'write it in double quotes: "current_user"' in refusal("current_user = 'x'")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("amount > 'abc'", "it compares decimal(18,4) with text."),
        ("amount > '5'", "it compares decimal(18,4) with text."),
        ("status = 5", "In the expression, character 1: it compares text with integer."),
        ("status in ('a', 1)", "it compares text with integer."),
        ("case when amount > 0 then 1 else 'x' end = 1", "it compares integer with text"),
        ("amount + status > 0", "it mixes decimal(18,4) with text"),
        ("amount and quantity > 0", "a condition is needed and this is of type decimal(18,4)"),
        ("length(quantity) > 1", "text is needed and this is of type integer"),
        ("abs(status) > 1", "a number is needed and this is of type text"),
        ("hour(status) = 1", "a date or timestamp is needed and this is of type text"),
        ("ordered_at > 'yesterday'", "'yesterday' is not a timestamp"),
        ("ordered_at > 5", "it compares timestamp with integer"),
        ("cast(price as decimal(18,4)) > 0", "double cannot be cast to decimal(18,4)"),
        ("cast(ordered_at as varchar) = ''", "timestamp cannot be cast to text"),
        ("cast(amount as decimal(40,4)) > 0", "decimal(40,4)"),
        ("cast(amount as blob) is null", "the type"),
        ("tags is null", "the column 'tags' is of type List"),
        ("amout > 0", "there is no column 'amout'. Did you mean 'amount'?"),
        ("status like status", "The pattern of LIKE must be a text in quotes"),
        ("regexp_matches(status, '(?i)x')", "something at its character 1"),
        ("regexp_matches(status, '(a)\\1')", "something at its character 4"),
        ("regexp_matches(status, 'a*?')", "something at its character 3"),
        ("regexp_matches(status, '[[:alpha:]]')", "something at its character 2"),
        ("regexp_matches(status, '\\pL')", "something at its character 1"),
        ("regexp_matches(status, 'a)')", "a regular expression does not compile"),
        ("regexp_replace(status, 'x*', '')  = ''", "needs at least one character"),
        ("split_part(status, '', 1) = ''", "an empty separator"),
        ("substring(status, 0) = ''", "substring starts at 0"),
        ("left(status, quantity) = ''", "left's count must be a whole number"),
        ("date_trunc('decade', ordered_at) is null", "the unit 'decade'"),
        ("ordered_at + interval '1 month' > now()", "an interval is a whole number of"),
        ("quantity % 0 = 1", "% takes an integer and a whole number above 0"),
        ("to_timestamp(amount) > now()", "a whole number is needed"),
        ("round(price, 2) > 1", "a double is rounded to whole numbers only"),
        ("quantity > 99999999999999999999", "does not fit into 64 bits"),
        ("amount > 1e3", "written in a form"),
        ("strftime(ordered_at, '%Y') = '2020'", "not part of the rule language"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_typed(text: str, what: str) -> None:
    assert what in refusal(text)


def test_2000_characters_are_the_most() -> None:
    text = "status = '" + "x" * 1_989 + "'"
    assert len(text) == 2_000
    parse_expression(text)
    assert "the expression has 2,001 characters; 2,000 is the most." in refusal(text + " ")


@pytest.mark.parametrize("opening", ["(", "not ", "- ", "case when ", "nullif(", "cast(", "trim("])
def test_nesting_ends_in_an_error_and_not_in_a_crash(opening: str) -> None:
    count = 1_900 // len(opening)
    assert "nested more than 40 levels deep" in refusal(opening * count + "quantity")


def test_a_long_chain_of_or_is_not_nesting() -> None:
    expression = parse_expression(" or ".join(["quantity=1"] * 140))
    assert expression.columns == {"quantity"}
    expression.to_polars(DTYPES)


def test_a_short_text_that_grows_into_a_huge_expression_is_refused() -> None:
    nested = "quantity"
    for _ in range(12):
        nested = f"nullif({nested} * 3, 1)"
    assert "grows into more than 5,000 operations" in refusal(nested + " > 0")


def test_any_text_is_parsed_or_refused() -> None:
    pieces = [
        "any ",
        "@",
        "a -> ",
        "interval ",
        "{",
        "'",
        '"',
        "/*",
        "--",
        "e'",
        "$$",
        "?",
        "a:",
        "::",
        "x'",
        "#",
        "^",
        "~",
    ]
    for piece in pieces:
        for text in (piece * 40, f"a {piece} b", piece):
            with contextlib.suppress(ContractError):
                parse_expression(text)
