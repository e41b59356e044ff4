"""Concatenated JSON: every good value whole, every damaged one alone."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.outside.json_scan import Inside, find_close, scan
from aura_lake.outside.split_json import JsonSplitter

CAP = 1 << 20

text = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["}{", "\\", '"', "{", "}\n{", "[]", '\\"', '{"a":1}']
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
block_sizes = st.lists(st.integers(1, 40), max_size=4)
FRAGMENTS = [*(bytes([byte]) for byte in b'{}[]"\\:, \na1\xff'), b"null", b'{"a":1}', b"\xef\xbb\xbf"]
separators = st.sampled_from(["", " ", "\n", "\r\n", "\t \n", " " * 30])


def encode(value: Any, ascii_only: bool, indent: int | None) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()


def needs_space(left: bytes, right: bytes) -> bool:
    """Two scalars that touch would read as one; strings and containers may touch."""
    return left[-1:] not in b"}]" and right[:1] not in b'{["'


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(values, separators, st.booleans(), st.sampled_from([None, None, 2])), max_size=8), block_sizes
)
def test_any_json_values_come_out_whole_at_their_offsets(cut, parts, sizes):
    data, expected = b"", []
    for value, separator, ascii_only, indent in parts:
        encoded = encode(value, ascii_only, indent)
        gap = separator.encode()
        if not gap and expected and needs_space(expected[-1][1], encoded):
            gap = b" "
        data += gap
        expected.append((len(data), encoded))
        data += encoded
    pieces = cut(JsonSplitter(CAP), data, sizes)
    assert [(offset, value) for offset, value, _, _ in pieces] == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40),
    block_sizes,
    block_sizes,
    st.sampled_from([5, 20, CAP]),
)
def test_garbage_never_fails_and_only_white_space_lies_between_pieces(cut, parts, sizes, others, cap):
    data = b"".join(parts)
    position = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    pieces = cut(JsonSplitter(cap), data, sizes)
    if cap == CAP:
        assert pieces == cut(JsonSplitter(cap), data, others)
    for offset, value, size, digest in pieces:
        assert offset >= position
        assert not data[position:offset].strip(b" \t\r\n")
        assert size > 0
        piece = data[offset : offset + size]
        assert value == (piece if size <= cap else None)
        assert digest == (None if size <= cap else hashlib.sha256(piece).hexdigest())
        position = offset + size
    assert not data[position:].strip(b" \t\r\n")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), block_sizes)
def test_random_bytes_are_covered_by_pieces(cut, data, sizes):
    covered = b"".join(data[offset : offset + size] for offset, _, size, _ in cut(JsonSplitter(CAP), data, sizes))
    bare = data.removeprefix(b"\xef\xbb\xbf").translate(None, b" \t\r\n")
    assert covered.translate(None, b" \t\r\n") == bare


def event(number: int) -> dict[str, Any]:
    return {"event_id": number, "page": {"path": f"/{number}", "note": "a } { b"}, "tags": [1, {"x": "}{"}], "end": "z"}


DAMAGES = {
    "truncated": lambda good: good[: len(good) // 2],
    "truncated within a string": lambda good: good[: good.index(b"a } {") + 2],
    "truncated behind a colon": lambda good: good[: good.index(b":") + 1],
    "truncated behind a comma": lambda good: good[: good.index(b",") + 1],
    "truncated behind a nested object": lambda good: good[: good.index(b'"tags"') - 1],
    "a brace missing at the end": lambda good: good[:-1],
    "a brace too many": lambda good: good + b"}",
    "a bracket too many": lambda good: good + b"]",
    "a brace missing inside": lambda good: good.replace(b'"}, "tags"', b'", "tags"').replace(b'"},"tags"', b'","tags"'),
    "a quote missing": lambda good: good.replace(b'z"', b"z"),
    "a quote too many": lambda good: good.replace(b'"z"', b'"z""'),
    "invalid UTF-8": lambda good: good.replace(b'"z"', b'"\xff\xc3"'),
    "a lone surrogate": lambda good: good.replace(b'"z"', b'"\\ud800"'),
    "a raw newline in a string": lambda good: good.replace(b'"z"', b'"z\n}{"'),
    "no JSON at all": lambda good: b"<html> busy </html>",
}


@pytest.mark.parametrize("separator", [b"", b"\n", b" "], ids=["touching", "newline", "space"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_damaged_value_is_one_record_and_all_others_come_out_whole(cut, damage, separator, place):
    good = [json.dumps(event(number)).encode() for number in range(40)]
    at = {"first": 0, "middle": 20, "last": 39}[place]
    parts = [*good[:at], DAMAGES[damage](good[at]).rstrip(), *good[at + 1 :]]
    for sizes in ([], [7], [1000], [64, 3]):
        pieces = [value for _, value, _, _ in cut(JsonSplitter(CAP), separator.join(parts), sizes)]
        assert pieces == parts


def test_damage_scattered_over_many_records_is_isolated_each_time(cut):
    chance = random.Random(7)
    parts = []
    for number in range(3000):
        encoded = json.dumps(event(number)).encode()
        is_bad = chance.random() < 0.05 and (not parts or parts[-1][1])
        if is_bad:
            encoded = encoded[: chance.randrange(10, len(encoded))].rstrip()
        parts.append((encoded, not is_bad))
    pieces = [value for _, value, _, _ in cut(JsonSplitter(CAP), b"".join(part for part, _ in parts), [50_000])]
    good = {part for part, is_good in parts if is_good}
    assert len(pieces) == len(parts)
    assert sum(piece in good for piece in pieces) == len(good)


def test_an_array_a_string_a_number_and_null_are_values(cut):
    data = b'[1,{"a":2}]{"a":1}null\n12 "x}{" true[]'
    values = [value for _, value, _, _ in cut(JsonSplitter(CAP), data, [])]
    assert values == [b'[1,{"a":2}]', b'{"a":1}', b"null", b"12", b'"x}{"', b"true", b"[]"]


def test_a_null_line_behind_a_damaged_value_is_a_tombstone_still(cut):
    data = b'{"a":1}\n{"a":2\nnull\n{"a":3}\n'
    assert [value for _, value, _, _ in cut(JsonSplitter(CAP), data, [])] == [
        b'{"a":1}',
        b'{"a":2',
        b"null",
        b'{"a":3}',
    ]


def test_commas_between_objects_are_records_of_their_own(cut):
    values = [value for _, value, _, _ in cut(JsonSplitter(CAP), b'{"a":1},{"a":2},\n{"a":3}', [])]
    assert values == [b'{"a":1}', b",", b'{"a":2}', b",", b'{"a":3}']


@pytest.mark.parametrize("sizes", [[], [100], [333, 10]])
def test_a_value_over_the_cap_is_kept_as_length_and_hash(cut, sizes):
    large = json.dumps({"a": ["}{" * 300, {"b": 1}] * 5}).encode()
    pieces = cut(JsonSplitter(1000), b'{"a":1}' + large + b'{"a":2} {"a":3}', sizes)
    assert [value for _, value, _, _ in pieces] == [b'{"a":1}', None, b'{"a":2}', b'{"a":3}']
    assert pieces[1] == (7, None, len(large), hashlib.sha256(large).hexdigest())


@pytest.mark.parametrize("sizes", [[], [100], [333, 10]])
def test_a_truncated_value_over_the_cap_ends_where_the_next_good_one_begins(cut, sizes):
    large = b'{"a":"' + b"x" * 5000
    data = b'{"a":1}' + large + b"".join(b'{"a":%d}' % number for number in range(2, 50))
    pieces = cut(JsonSplitter(1000), data, sizes)
    assert pieces[1] == (7, None, len(large), hashlib.sha256(large).hexdigest())
    assert [value for _, value, _, _ in pieces[2:]] == [b'{"a":%d}' % number for number in range(2, 50)]


def test_a_value_nested_a_hundred_thousand_deep_is_one_record(cut):
    deep = b"[" * 100_000 + b"]" * 100_000
    pieces = cut(JsonSplitter(CAP), b'{"a":1}' + deep + b'{"a":2}', [4096])
    assert [value for _, value, _, _ in pieces] == [b'{"a":1}', deep, b'{"a":2}']


def test_braces_never_closed_cost_no_square_of_their_number(cut):
    data = b'{"a":1}' + b'{"a":[' * 15_000
    pieces = cut(JsonSplitter(CAP), data, [])
    assert [size for _, _, size, _ in pieces] == [7, 90_000]


@settings(max_examples=200, deadline=None)
@given(values.filter(lambda value: isinstance(value, (dict, list))), st.integers(1, 9), st.booleans())
def test_the_close_of_a_value_is_found_in_blocks_of_any_size(value, size, ascii_only):
    encoded = encode(value, ascii_only, None)
    inside, position = Inside(), 0
    while True:
        close, inside = find_close(encoded[position : position + size], inside)
        if close is not None:
            break
        position += size
    assert position + close == len(encoded)


def test_a_touching_pair_inside_a_value_makes_it_suspect():
    found = scan(b'{"a":"}{"}{"a":1}')
    assert found.starts.tolist() == [0, 10]
    assert found.is_suspect.tolist() == [True, False]
