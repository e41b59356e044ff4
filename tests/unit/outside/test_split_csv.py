"""CSV: records end at line ends outside quoted fields."""

from __future__ import annotations

import csv
import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_lake.outside.split_csv import CsvSplitter

CAP = 1 << 20
MARK = b"\xef\xbb\xbf"
fields = st.text(st.sampled_from('ab",;\n\r é'), max_size=6)


def values(pieces):
    return [value for _, value, _, _ in pieces]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(fields, min_size=2, max_size=4), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
    st.lists(st.integers(1, 9), max_size=3),
    st.booleans(),
)
def test_any_rows_that_are_quoted_well_come_out_one_a_record(cut, rows, line_end, delimiter, quote_all, sizes, ends):
    lines = []
    for row in [["x", "y"], *rows]:
        out = io.StringIO()
        row = row if quote_all else [field.replace("\r", "") for field in row]  # Python leaves it bare
        quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
        csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerow(row)
        lines.append(out.getvalue().removesuffix(line_end).encode())
    data = line_end.encode().join(lines) + (line_end.encode() if ends else b"")
    splitter = CsvSplitter(CAP, delimiter.encode())
    pieces = cut(splitter, MARK + data, sizes)
    assert splitter.header == lines[0]
    assert values(pieces) == [line for line in lines[1:] if line.strip(b" ")]
    assert all((MARK + data)[offset : offset + size] == value for offset, value, size, _ in pieces)


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from('a",\n\r '), max_size=60),
    st.lists(st.integers(1, 9), max_size=3),
    st.lists(st.integers(1, 9), max_size=3),
    st.sampled_from([6, CAP]),
)
def test_garbage_never_fails_and_blocks_of_any_size_give_the_same_records(cut, text, sizes, others, cap):
    data = b"h\n" + text.encode()
    pieces = cut(CsvSplitter(cap), data, sizes)
    position = 2
    for offset, value, size, digest in pieces:
        assert offset >= position
        assert not data[position:offset].strip(b" \t\r\n")
        piece = data[offset : offset + size]
        assert value == (piece if size <= cap else None)
        assert digest == (None if size <= cap else hashlib.sha256(piece).hexdigest())
        position = offset + size
    assert not data[position:].strip(b" \t\r\n")
    assert pieces == cut(CsvSplitter(cap), data, others)


def test_a_quote_inside_an_unquoted_field_is_a_character(cut):
    data = b'size,name\n5" screen,"a ""good"" one"\n7",x\n8,"two\nlines"\n'
    assert values(cut(CsvSplitter(CAP), data, [])) == [b'5" screen,"a ""good"" one"', b'7",x', b'8,"two\nlines"']


@pytest.mark.parametrize("sizes", [[], [5]])
def test_a_quote_never_closed_costs_its_own_line_only(cut, sizes):
    data = b'h,i\n1,"open\n2,"fine"\n3,"two\nlines"\n4,"open to the end\n5,x\n'
    assert values(cut(CsvSplitter(CAP), data, sizes)) == [
        b'1,"open',
        b'2,"fine"',
        b'3,"two\nlines"',
        b'4,"open to the end',
        b"5,x",
    ]


def test_a_quote_never_closed_costs_its_own_line_also_over_the_cap(cut):
    data = b'h,i\n1,"open\n' + b"2,x\n" * 100
    assert values(cut(CsvSplitter(50), data, [40])) == [b'1,"open', *[b"2,x"] * 100]


@pytest.mark.parametrize("sizes", [[], [7]])
def test_a_line_over_the_cap_is_kept_as_length_and_hash(cut, sizes):
    large = b"1," + b"x" * 300
    pieces = cut(CsvSplitter(50), b"h,i\n" + large + b"\r\n2,y\n", sizes)
    assert pieces == [
        (4, None, 302, hashlib.sha256(large).hexdigest()),
        (308, b"2,y", 3, None),
    ]


def test_lines_of_delimiters_are_records_and_blank_lines_are_not(cut):
    assert values(cut(CsvSplitter(CAP, b"\t"), b"a\tb\n\n\t\n  \n1\t2\n", [])) == [b"\t", b"1\t2"]


def test_an_object_without_a_line_has_no_header(cut):
    splitter = CsvSplitter(CAP)
    assert cut(splitter, b"", []) == []
    assert splitter.header is None


def test_many_bare_quotes_are_cut_in_linear_time(cut):
    data = b"h,i\n" + b'5" screen,x\n' * 50_000
    assert len(cut(CsvSplitter(CAP), data, [])) == 50_000
