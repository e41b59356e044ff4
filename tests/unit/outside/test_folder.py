"""A folder as a store of objects."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aura_lake.contracts.contract import Feed, Format
from aura_lake.errors import FeedError
from aura_lake.outside.folder import FolderStore
from aura_lake.outside.objects import ObjectChanged
from aura_lake.outside.records import read_records, store_for


def put(root: Path, name: str, content: bytes = b"{}\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(store) -> list[str]:
    return [info.name for info in store.list().objects]


def test_files_are_listed_by_name_with_size_and_time(tmp_path):
    put(tmp_path, "b/2", b"12345")
    path = put(tmp_path, "a")
    os.utime(path, ns=(0, 1_600_000_000_123_456_789))
    first, second = FolderStore(tmp_path).list().objects
    assert (first.name, second.name, second.size) == ("a", "b/2", 5)
    assert first.modified_at == datetime(2020, 9, 13, 12, 26, 40, 123456, UTC)
    assert first.etag == f"{1_600_000_000_123_456_789:x}-3"


def test_a_changed_file_has_another_etag(tmp_path):
    path = put(tmp_path, "a")
    before = FolderStore(tmp_path).list().objects[0].etag
    path.write_bytes(b"other\n")
    assert FolderStore(tmp_path).list().objects[0].etag != before


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path):
    outside = put(tmp_path, "elsewhere/file")
    root = tmp_path / "feed"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "broken").symlink_to(tmp_path / "nothing")
    listing = FolderStore(root).list()
    assert [info.name for info in listing.objects] == ["link"]
    assert listing.skipped == {"loop/": "a link to a folder is not followed"}
    assert listing.waiting == {"broken": "it cannot be looked at now (No such file or directory)"}


def test_hidden_folders_count_below_the_root_only(tmp_path):
    root = tmp_path / "_lake" / ".data"
    put(root, "a")
    put(root, "_x=1/b")
    listing = FolderStore(root).list()
    assert [info.name for info in listing.objects] == ["a"]
    assert listing.skipped == {"_x=1/": "hidden: starts with . or _"}


def test_a_name_that_is_not_utf8_is_skipped_and_shown(tmp_path):
    put(tmp_path, "a")
    try:
        (tmp_path / os.fsdecode(b"b\xff")).write_bytes(b"{}\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    listing = FolderStore(tmp_path).list()
    assert [info.name for info in listing.objects] == ["a"]
    assert listing.skipped == {"b\\udcff": "its name is not valid UTF-8; rename it"}


def test_a_missing_folder_names_the_feed_the_path_and_the_fix(tmp_path):
    with pytest.raises(FeedError, match=r"Feed clicks: the folder .*/nowhere does not exist\. Create it, or correct"):
        FolderStore(tmp_path / "nowhere", "clicks").list()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_and_an_unreadable_file_are_errors_of_the_feed(tmp_path):
    path = put(tmp_path, "x/a")
    store = FolderStore(tmp_path, "clicks")
    info = store.list().objects[0]
    path.chmod(0)
    with pytest.raises(FeedError, match=r"Feed clicks: .*/x/a cannot be read \(Permission denied\)"):
        store.open(info)
    path.parent.chmod(0)
    try:
        with pytest.raises(FeedError, match=r"Feed clicks: the folder .*/x cannot be listed"):
            store.list()
    finally:
        path.parent.chmod(0o700)


def test_a_file_that_changes_before_or_while_it_is_read_is_still_uploading(tmp_path):
    path = put(tmp_path, "a", b"one\ntwo\n")
    store = FolderStore(tmp_path)
    info = store.list().objects[0]
    with store.open(info) as stream:
        assert stream.read(4) == b"one\n"
        path.write_bytes(b"one\ntwo\nthree\n")
        with pytest.raises(ObjectChanged, match="a: it changed while it was read; nothing of it was taken"):
            list(iter(lambda: stream.read(4), b""))
    with pytest.raises(ObjectChanged, match="a: it changed"):
        store.open(info)
    path.unlink()
    with pytest.raises(ObjectChanged, match="a: it is gone from"):
        store.open(info)


def test_gzip_that_is_truncated_because_it_is_still_uploading_waits_and_is_not_corrupt(tmp_path):
    import gzip

    packed = gzip.compress(b"{}\n" * 1000)
    path = put(tmp_path, "a.gz", packed[:20])
    store = FolderStore(tmp_path)
    info = store.list().objects[0]
    with store.open(info) as stream:
        records = read_records(stream, info.name, Format.JSONL)
        os.utime(path, ns=(1, 1))
        with pytest.raises(ObjectChanged):
            list(records)


def test_a_feed_may_be_a_folder_one_file_or_a_glob(tmp_path):
    for name in ("a.csv", "b.csv", "x/a.csv", "odd[1].csv"):
        put(tmp_path, name)

    def listed(location: str, include: str | None = None) -> list[str]:
        return names(store_for(Feed("f", location, Format.CSV, include=include)))

    assert listed(str(tmp_path)) == ["a.csv", "b.csv", "odd[1].csv", "x/a.csv"]
    assert listed(str(tmp_path / "a.csv")) == ["a.csv"]
    assert listed(f"{tmp_path}/*.csv") == ["a.csv", "b.csv", "odd[1].csv"]
    assert listed(f"{tmp_path}/**/a.csv") == ["a.csv", "x/a.csv"]
    assert listed(str(tmp_path), "x/*") == ["x/a.csv"]
    skipped = store_for(Feed("f", str(tmp_path), Format.CSV, include="x/*")).list().skipped
    assert skipped["a.csv"] == "does not match x/*"
