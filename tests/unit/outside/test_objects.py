"""What becomes of a name, and which names a glob means."""

from __future__ import annotations

import pytest

from aura_lake.outside.objects import classify
from aura_lake.outside.pattern import matches, split_location


@pytest.mark.parametrize("name", ["a.gz", "2019/10/01/00/a", "year=2019/a.csv", "a b+c%3D.json", "x.tmp/a"])
def test_plain_names_are_read(name):
    assert classify(name, 10) is None


@pytest.mark.parametrize("name", ["a.tmp", "a.part", "a.crdownload", "x/a.filepart", "a.csv._COPYING_", ".a.gz.TMP"])
def test_temporary_upload_names_wait(name):
    assert classify(name, 10) == ("waiting", "a temporary upload name; read when it is renamed")


@pytest.mark.parametrize("name", [".a", "_SUCCESS", "x/.b/a", "_x=1/a", "_temporary/0/a", "._a.csv"])
def test_hidden_names_are_skipped(name):
    assert classify(name, 10) == ("skipped", "hidden: a part of its name starts with . or _")


def test_zero_bytes_wait_and_markers_backups_and_failures_are_skipped():
    assert classify("a", 0) == ("waiting", "zero bytes; read when it has content")
    assert classify("a/", 0) == ("skipped", "a folder marker, not an object")
    assert classify("a~", 5) == ("skipped", "an editor's backup file")
    for name in ("processing-failed/2019/a", "x/processing-failed/a"):
        assert classify(name, 5) == ("skipped", "under processing-failed/: the delivery stream's own failures")
    assert classify("processing-failed", 5) is None


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "x/a.csv", True),
        ("/*.csv", "x/a.csv", False),
        ("/*.csv", "a.csv", True),
        ("x/*.csv", "x/a.csv", True),
        ("x/*.csv", "y/x/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("x/**", "x/y/z", True),
        ("a?[0-9].gz", "ab1.gz", True),
        ("a[!0-9]", "a1", False),
        ("a[!0-9]", "a/", False),
        ("a[b", "a[b", True),
        ("a.csv", "abcsv", False),
        ("=a*[1].csv", "a*[1].csv", True),
        ("=a.csv", "x/a.csv", False),
    ],
)
def test_globs(pattern, name, is_match):
    assert matches(pattern, name) is is_match


def test_a_location_with_a_glob_is_its_folder_and_a_pattern_below_it():
    assert split_location("/data/x/2019-*/*.gz") == ("/data/x", "/2019-*/*.gz")
    assert split_location("/data/x") == ("/data/x", None)
    assert split_location("*.gz") == ("", "/*.gz")
