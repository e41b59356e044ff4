"""The cache of Java programs: whole or not there, fetched once, by whoever comes first."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aura_lake.errors import ServiceError
from aura_lake.services.artefacts import Artefact, ArtefactCache, pom_for
from tests.unit.services.conftest import Pretend

JARS = Artefact("broker", ("org.example:broker:4.3.1", "org.example:logging:2.0"))
ARCHIVE = Artefact("plugin", ("org.example:plugin:1.0:tar.gz:plugin",))

#: Puts its arguments into a file, and two jars where it is told to.
GOOD = """
echo "$@" >> "$XDG_CACHE_HOME/calls"
for word in "$@"; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder" && touch "$folder/a.jar" "$folder/b.jar"
"""


@pytest.fixture
def cache(environ: dict[str, str], told: list[str]) -> ArtefactCache:
    Path(environ["XDG_CACHE_HOME"]).mkdir()
    return ArtefactCache(environ, told.append)


def calls(environ: dict[str, str]) -> list[str]:
    return (Path(environ["XDG_CACHE_HOME"]) / "calls").read_text().splitlines()


def test_jars_are_fetched_once(
    cache: ArtefactCache, environ: dict[str, str], pretend: Pretend, told: list[str]
) -> None:
    pretend("mvn", GOOD)
    assert not cache.has(JARS)
    place = cache.fetch(JARS)
    assert cache.fetch(JARS) == place
    assert cache.has(JARS)
    assert sorted(path.name for path in place.iterdir()) == ["a.jar", "b.jar"]
    assert len(calls(environ)) == 1
    assert told == ["fetching broker (org.example:broker:4.3.1) with Maven …", f"broker lies in {place}"]


def test_a_download_that_broke_off_is_not_taken_for_whole(
    cache: ArtefactCache, environ: dict[str, str], pretend: Pretend
) -> None:
    pretend("mvn", f"{GOOD}\nrm $folder/b.jar; echo '[ERROR] the line is dead'; exit 1")
    with pytest.raises(
        ServiceError, match=r"(?s)Maven could not fetch broker \(org.example:broker:4.3.1, .*line is dead"
    ):
        cache.fetch(JARS)
    assert not cache.has(JARS)
    pretend("mvn", GOOD)
    assert sorted(path.name for path in cache.fetch(JARS).iterdir()) == ["a.jar", "b.jar"]
    assert not list(cache.folder.glob("*.part")), "and nothing of the broken one is left"


def test_a_fetch_that_was_killed_is_not_taken_for_whole(cache: ArtefactCache, pretend: Pretend) -> None:
    half = cache.folder / f"{JARS.folder_name}.part" / "jars"
    half.mkdir(parents=True)
    (half / "half.jar").touch()
    assert not cache.has(JARS)
    pretend("mvn", GOOD)
    assert not (cache.fetch(JARS) / "half.jar").exists()


def test_maven_that_fetches_nothing_is_told(cache: ArtefactCache, pretend: Pretend) -> None:
    pretend("mvn", "exit 0")
    with pytest.raises(ServiceError, match="left no jar"):
        cache.fetch(JARS)
    with pytest.raises(ServiceError, match="left 0 archives"):
        cache.fetch(ARCHIVE)


def test_two_that_want_it_at_once_fetch_it_once(
    cache: ArtefactCache, environ: dict[str, str], pretend: Pretend
) -> None:
    pretend("mvn", f"sleep 0.3\n{GOOD}")
    others = [threading.Thread(target=ArtefactCache(environ, lambda line: None).fetch, args=(JARS,)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert cache.has(JARS)
    assert len(calls(environ)) == 1


def test_an_archive_is_unpacked(cache: ArtefactCache, environ: dict[str, str], pretend: Pretend) -> None:
    pretend(
        "mvn",
        GOOD + 'cd "$folder" && rm *.jar && mkdir inner && echo hello > inner/file'
        " && tar czf plugin-1.0-plugin.tar.gz inner && rm -r inner",
    )
    place = cache.fetch(ARCHIVE)
    assert (place / "inner" / "file").read_text() == "hello\n"
    assert "-Dartifact=org.example:plugin:1.0:tar.gz:plugin" in calls(environ)[0]


def test_an_archive_that_would_write_outside_its_folder_is_refused(cache: ArtefactCache, pretend: Pretend) -> None:
    pretend("mvn", GOOD + 'cd "$folder" && rm *.jar && touch evil && tar czf plugin.tar.gz -P ../archives/evil')
    with pytest.raises(ServiceError, match="no plain file below the archive's folder"):
        cache.fetch(ARCHIVE)
    assert not cache.has(ARCHIVE)


def test_a_machine_without_maven_is_told_what_to_install(bare: dict[str, str]) -> None:
    with pytest.raises(ServiceError, match=r"no `mvn`.*apt-get install maven"):
        ArtefactCache(bare, lambda line: None).fetch(JARS)


def test_another_list_of_parts_is_another_folder() -> None:
    wider = Artefact("broker", (*JARS.coordinates, "org.example:more:1"))
    assert JARS.folder_name.startswith("broker-4.3.1-")
    assert wider.folder_name != JARS.folder_name


def test_the_pom_names_every_part() -> None:
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ElementTree.fromstring(pom_for(JARS)).findall("m:dependencies/m:dependency", space)
    assert [[part.text for part in dependency] for dependency in found] == [
        ["org.example", "broker", "4.3.1"],
        ["org.example", "logging", "2.0"],
    ]


def test_the_cache_lies_where_the_environment_says() -> None:
    assert ArtefactCache({"XDG_CACHE_HOME": "/x"}, print).folder == Path("/x/aura-lake/services")
    assert ArtefactCache({"HOME": "/home/me"}, print).folder == Path("/home/me/.cache/aura-lake/services")
    assert os.fspath(ArtefactCache({"HOME": "/home/me"}, print).programs).endswith("services/bin")
