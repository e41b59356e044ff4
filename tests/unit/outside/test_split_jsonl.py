"""JSON Lines: one record a line, its bytes as they are."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.outside.split_jsonl import JsonLinesSplitter

CAP = 1 << 20
MARK = b"\xef\xbb\xbf"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"", b" ", b"\r", b"null", b"\t \r", b'{"a":1}\r']), max_size=12
    ),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(1, 9), max_size=3),
    st.sampled_from([4, CAP]),
)
def test_lines_come_out_as_python_would_cut_them(cut, lines, has_mark, ends_with_newline, sizes, cap):
    lines = [line.replace(b"\n", b"") for line in lines]
    data = b"\n".join(lines) + (b"\n" if ends_with_newline else b"")
    if data.startswith(MARK[:1]):
        data = b"{" + data
    if has_mark:
        data = MARK + data
    expected, position = [], 3 if has_mark else 0
    for line in data[position:].split(b"\n"):
        record = line.removesuffix(b"\r")
        if record.strip(b" \t\r\n"):
            expected.append((position, record))
        position += len(line) + 1
    pieces = cut(JsonLinesSplitter(cap), data, sizes)
    assert [offset for offset, *_ in pieces] == [offset for offset, _ in expected]
    if cap == CAP:
        assert [value for _, value, _, _ in pieces] == [record for _, record in expected]


@pytest.mark.parametrize("sizes", [[], [1], [50], [128]])
def test_a_line_over_the_cap_is_kept_as_length_and_hash(cut, sizes):
    large = b'{"a":"' + b"x" * 200 + b'"}'
    pieces = cut(JsonLinesSplitter(100), b'{"a":1}\r\n' + large + b'\r\n{"a":2}', sizes)
    assert pieces == [
        (0, b'{"a":1}', 7, None),
        (9, None, len(large), hashlib.sha256(large).hexdigest()),
        (11 + len(large), b'{"a":2}', 7, None),
    ]


def test_records_share_no_memory_with_one_another_after_a_blank_line(cut):
    assert [value for _, value, _, _ in cut(JsonLinesSplitter(CAP), b"null\n\n  \n{}\n", [])] == [b"null", b"{}"]
