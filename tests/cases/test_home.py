"""A home that is full, or may not be written to: a clear error, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aura_lake.errors import AuraError, LakeError
from aura_lake.ledger.count import count
from tests.changes import change, things, write_lines
from tests.small_lake import SmallLake

PROJECT = Path(__file__).resolve().parents[2]

MANY = [change("c", 10 + n, f"key {n}", os.urandom(40).hex()) for n in range(3_000)]


def refused(lake: SmallLake) -> str:
    """What a run of the lake complains about; anything but an AuraError fails the test."""
    with pytest.raises(AuraError) as caught:
        lake.run()
    return str(caught.value)


def stray_files(home: Path) -> list[str]:
    """Files that nobody names: temporary ones, and Parquet files outside every Delta log."""
    logs = "".join(log.read_text() for log in home.rglob("_delta_log/*.json"))
    files = [path for path in home.rglob("*") if path.is_file() and "_delta_log" not in path.parts]
    parquet = [path for path in files if path.suffix == ".parquet" and path.name not in logs]
    temporary = [
        path for path in files if ".tmp" in path.name or (path.parent.name == "secrets" and path.name != "pii.key")
    ]
    return sorted(str(path.relative_to(home)) for path in [*parquet, *temporary])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with little room, where this machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("NO DISK TO FILL: mounting a tmpfs needs root; the next test limits the size of files instead")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def on(disk: Path, tmp_path: Path) -> SmallLake:
    """A lake on the disk, its feed elsewhere."""
    lake = SmallLake(tmp_path, things())
    (tmp_path / "lake").symlink_to(disk)
    return lake


def test_a_full_disk_is_named_and_leaves_nothing_half_written(small_disk: Path, tmp_path: Path) -> None:
    lake = on(small_disk, tmp_path)
    lake.arrive("1.jsonl", change("c", 1, "first", "x"))
    lake.put("2.jsonl", *MANY)
    filling = small_disk / "filling"
    filling.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 50_000))
    message = refused(lake)
    assert "cannot be written: No space left on device. Nothing was committed. Make room" in message
    assert stray_files(small_disk) == []
    filling.unlink()
    lake.run()
    assert len(lake.rows()) == 3_001
    assert count(lake.lake).balanced


def test_a_disk_that_becomes_read_only_is_named(small_disk: Path, tmp_path: Path) -> None:
    lake = on(small_disk, tmp_path)
    lake.arrive("1.jsonl", change("c", 1, "first", "x"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    lake.put("2.jsonl", change("c", 2, "second", "x"))
    assert "cannot be written: Read-only file system." in refused(lake)
    assert lake.rows() == [("first", "x", None)], "what stands can be read"


LIMITED = """
import resource, sys
from pathlib import Path
from tests.changes import things
from tests.small_lake import SmallLake
from aura_lake.errors import AuraError
lake = SmallLake(Path(sys.argv[1]), things())
for most_bytes in (20, 400, 20_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    try:
        lake.run()
    except AuraError as error:
        print(error)
"""


def test_a_file_that_cannot_grow_is_named_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The key, then the first commit of a table, then a data file: whatever it is that does not fit."""
    lake = SmallLake(tmp_path, things())
    lake.put("1.jsonl", *MANY)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=environment)
    key, table, data = told.stdout.splitlines()
    assert "pii.key: the key for personal values cannot be made: File too large." in key
    for message in (table, data):
        assert "bronze/things: cannot be written: File too large. Nothing was committed. Make room" in message
    assert stray_files(tmp_path / "lake") == []
    lake.run()
    assert len(lake.rows()) == 3_000
    assert count(lake.lake).balanced


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file, not a folder")
    lake = SmallLake(tmp_path, things())
    lake.put("1.jsonl", change("c", 1, "a", "x"))
    with pytest.raises(
        LakeError, match=r"lake/secrets/pii\.key: the key for personal values cannot be made: Not a directory"
    ):
        lake.run()


@pytest.mark.skipif(os.geteuid() == 0, reason="ROOT MAY WRITE EVERYWHERE: see the read-only disk above")
def test_a_home_without_permission_is_named(tmp_path: Path) -> None:
    lake = SmallLake(tmp_path, things())
    lake.arrive("1.jsonl", change("c", 1, "first", "x"))
    for folder in [tmp_path / "lake", *(tmp_path / "lake").rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o500)
    write_lines(lake.folder, "2.jsonl", [change("c", 2, "second", "x")])
    assert "cannot be written: Permission denied. Nothing was committed." in refused(lake)
    for folder in [tmp_path / "lake", *(tmp_path / "lake").rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o700)
