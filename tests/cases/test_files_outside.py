"""Hard cases 62 to 77 of files: what their bytes are, before anything is landed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Format
from aura_lake.outside.decompress import CorruptObject, Limits
from aura_lake.outside.folder import FolderStore
from aura_lake.outside.records import ObjectRecords, read_records

EVENT = b'{"event_type":"view","note":"a }{ b","price":35.79}'


def records_of(stored: bytes, format: Format = Format.JSON, limits: Limits | None = None) -> ObjectRecords:
    return read_records(io.BytesIO(stored), "o", format, limits=limits or Limits())


def values(stored: bytes, format: Format = Format.JSON) -> list[bytes]:
    return [value for chunk in records_of(stored, format) for value in chunk.values.to_pylist()]


def test_case_062_objects_without_a_newline_between_them_are_cut_and_strings_are_not():
    assert values(EVENT * 3 + b'{"a":"}{"}' + b" \n" + EVENT) == [EVENT, EVENT, EVENT, b'{"a":"}{"}', EVENT]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda packed: packed[: len(packed) // 2], "the gzip stream ends within a member"),
        (lambda packed: packed[:-8], "the gzip stream ends within a member"),
        (lambda packed: packed[:-8] + b"\0\0\0\0" + packed[-4:], "the gzip stream is damaged: CRC check failed"),
        (
            lambda packed: packed + b"trailing garbage",
            "the gzip stream is damaged: bytes follow that are no gzip member",
        ),
        (lambda packed: packed + b"x", "the gzip stream ends within a member"),
        (lambda packed: packed + b"\x1f\x8b", "the gzip stream ends within a member"),
    ],
    ids=["truncated", "no trailer", "wrong checksum", "trailing garbage", "one byte behind", "half a member behind"],
)
def test_case_063_a_damaged_gzip_is_refused_whole(damage, reason):
    packed = gzip.compress(b"".join(b'{"a":%d}' % number for number in range(100_000)))
    with pytest.raises(CorruptObject, match=r"o: .* None of its records were taken") as caught:
        values(damage(packed))
    assert caught.value.reason.startswith(reason)
    assert 0 < caught.value.position <= len(damage(packed))


def test_case_064_every_member_of_a_gzip_is_read():
    packed = b"".join(gzip.compress(EVENT * count) for count in (3, 0, 5))
    assert values(packed) == [EVENT] * 8


def test_case_065_a_bomb_is_refused_while_it_streams_in_bounded_memory():
    bomb = gzip.compress(b" " * 200_000_000, 1)
    limits = Limits(max_ratio=200, ratio_free_bytes=16 << 20)
    tracemalloc.start()
    with pytest.raises(
        CorruptObject, match=r"a decompression bomb: [\d,]+ bytes out of [\d,]+ stored ones, more than 200"
    ):
        list(records_of(bomb, Format.JSONL, limits))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120 << 20


def test_case_065_one_endless_line_is_kept_as_length_and_hash():
    line = b'{"a":"' + b"x" * 40_000_000 + b'"}'
    for format in (Format.JSONL, Format.JSON):
        records = records_of(gzip.compress(line + b'\n{"a":2}\n'), format)
        (chunk,) = list(records)
        assert chunk.values.to_pylist() == [None, b'{"a":2}']
        assert chunk.value_sizes.tolist() == [len(line), 7]
        assert chunk.value_hashes.to_pylist() == [hashlib.sha256(line).hexdigest(), None]


def test_case_066_the_hash_tells_equal_bytes_under_another_name(tmp_path):
    for name, stored in (("a", EVENT), ("b", EVENT), ("c", EVENT * 2)):
        (tmp_path / name).write_bytes(stored)
    store = FolderStore(tmp_path)
    hashes = []
    for info in store.list().objects:
        with store.open(info) as stream:
            records = read_records(stream, info.name, Format.JSON)
            assert sum(len(chunk) for chunk in records) == records.record_count
            hashes.append(records.sha256)
    assert hashes == [hashlib.sha256(stored).hexdigest() for stored in (EVENT, EVENT, EVENT * 2)]


def test_case_067_what_is_still_uploading_waits_and_is_listed_again(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "a.gz.tmp").write_bytes(EVENT)
    store = FolderStore(tmp_path)
    listing = store.list()
    assert listing.objects == []
    assert listing.waiting == {
        "a.gz.tmp": "a temporary upload name; read when it is renamed",
        "empty": "zero bytes; read when it has content",
    }
    (tmp_path / "a.gz.tmp").rename(tmp_path / "a.gz")
    (tmp_path / "empty").write_bytes(EVENT)
    assert [info.name for info in store.list().objects] == ["a.gz", "empty"]


def test_case_071_what_the_delivery_stream_could_not_process_is_skipped(tmp_path):
    for folder in ("processing-failed/2019", "raw/processing-failed", "raw"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "a").write_bytes(EVENT)
    listing = FolderStore(tmp_path).list()
    assert [info.name for info in listing.objects] == ["raw/a"]
    assert set(listing.skipped) == {"processing-failed/2019/a", "raw/processing-failed/a"}


def test_case_072_one_bad_line_among_many_is_one_record_at_its_place():
    lines = [b'{"number":%d}' % number for number in range(200_000)]
    lines[123_456] = b'{"number":'
    for format in (Format.JSONL, Format.JSON):
        assert values(b"\n".join(lines), format) == lines


@pytest.mark.parametrize(
    ("format", "stored", "expected"),
    [
        (Format.JSONL, b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n{"a":2}', [b'{"a":1}', b'{"a":2}']),
        (Format.JSON, b'\xef\xbb\xbf{"a":1}\r\n\r\n{"a":2}\n\n', [b'{"a":1}', b'{"a":2}']),
        (Format.CSV, b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4", [b"1,2", b"3,4"]),
    ],
)
def test_case_073_marks_returns_and_blank_lines_are_tolerated(format, stored, expected):
    records = records_of(stored, format)
    assert [value for chunk in records for value in chunk.values.to_pylist()] == expected
    assert records.header == (b"a,b" if format is Format.CSV else None)


@pytest.mark.parametrize("format", [Format.JSON, Format.JSONL])
@pytest.mark.parametrize("bad", [b'{"a":"\\ud800"}', b'{"a":"\xff\xfe"}', b'{"a":"\xc3"}', b'{"\xed\xa0\x80":1}'])
def test_case_076_a_lone_surrogate_or_invalid_utf8_stays_within_its_record(format, bad):
    assert values(b"\n".join([EVENT, bad, EVENT]), format) == [EVENT, bad, EVENT]


def test_case_077_deep_nesting_and_huge_integers_are_one_record_each():
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    huge = b'{"a":' + b"9" * 4301 + b"}"
    assert values(EVENT + deep + huge + EVENT) == [EVENT, deep, huge, EVENT]


def damaged(event: bytes) -> dict[str, bytes]:
    return {
        "truncated": event[: len(event) // 2],
        "unbalanced": event[:-1],
        "a brace too many": event + b"}",
        "invalid UTF-8": event.replace(b'"brand":', b'"\xff\xc3":', 1),
        "a lone surrogate": event.replace(b'"brand":', b'"\\ud83d":', 1),
    }


@pytest.mark.parametrize("damage", sorted(damaged(EVENT)))
def test_case_076_every_damage_in_a_real_firehose_object_is_isolated(damage, shared_data: Path):
    folder = shared_data / "rees46_dev" / "firehose_dev" / "raw-events"
    stored = next(iter(sorted(folder.rglob("*.gz")))).read_bytes()
    good = values(stored)
    assert b"".join(good) == gzip.decompress(stored)
    assert all(isinstance(json.loads(value), dict) for value in good)
    for place in (0, 5, len(good) - 1):
        parts = [*good[:place], damaged(good[place])[damage], *good[place + 1 :]]
        assert values(gzip.compress(b"".join(parts))) == parts


def test_case_073_real_lines_and_multi_line_reviews_keep_their_bytes(shared_data: Path):
    olist = shared_data / "olist_dev"
    for path in sorted((olist / "cdc").rglob("*.jsonl*"))[:3]:
        stored = path.read_bytes()
        lines = gzip.decompress(stored) if stored.startswith(b"\x1f\x8b") else stored
        assert values(stored, Format.JSONL) == lines.splitlines()
        assert values(stored, Format.JSON) == lines.splitlines()
    reviews = (olist / "order_reviews.csv").read_bytes()
    records = records_of(reviews, Format.CSV)
    rows = [value for chunk in records for value in chunk.values.to_pylist()]
    assert records.header is not None
    assert b"".join([records.header, *rows]).translate(None, b"\r\n") == reviews.translate(None, b"\r\n")
    assert any(b"\n" in row for row in rows)
