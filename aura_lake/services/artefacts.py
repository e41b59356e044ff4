"""Java programs from Maven's repository, fetched once into a cache folder.

A folder of the cache is whole or not there: Maven writes into a folder beside it, which is renamed when all is in.
Its name carries a digest of what was asked for, so another version or another list of parts is another folder.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from aura_lake.errors import ServiceError
from aura_lake.services.lock import alone

#: Pinned, so that what is fetched does not depend on the Maven that is installed. Releases before this one want the
#: parents of an archive that is only copied, and mirrors do not always have them.
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.10.0"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Artefact:
    """What to fetch: jars with all they need, or one archive that is unpacked.

    `coordinates` as Maven writes them: `group:artifact:version` for jars, and for the one archive
    `group:artifact:version:tar.gz:classifier`.
    """

    name: str
    coordinates: tuple[str, ...]

    @property
    def is_archive(self) -> bool:
        """Whether it is one archive to unpack."""
        return self.coordinates[0].split(":")[3:4] == ["tar.gz"]

    @property
    def folder_name(self) -> str:
        """Its folder in the cache: name, version of the first part, digest of all parts."""
        digest = hashlib.sha256("\n".join(self.coordinates).encode()).hexdigest()[:8]
        return f"{self.name}-{self.coordinates[0].split(':')[2]}-{digest}"


class ArtefactCache:
    """The cache folder: below XDG_CACHE_HOME, else `~/.cache`. `tell` gets a line when something is fetched."""

    def __init__(self, environ: Mapping[str, str], tell: Tell) -> None:
        home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache"
        self.folder = Path(home) / "aura-lake" / "services"
        self._tell = tell
        self._environ = environ

    @property
    def programs(self) -> Path:
        """The folder of programs that were built for this machine."""
        return self.folder / "bin"

    def place_of(self, artefact: Artefact) -> Path:
        """Where it lies, or will lie."""
        return self.folder / artefact.folder_name

    def has(self, artefact: Artefact) -> bool:
        """Whether it has been fetched, whole."""
        return self.place_of(artefact).is_dir()

    def fetch(self, artefact: Artefact) -> Path:
        """The folder with its jars, or with what was in its archive. Fetched where it is not there yet.

        Raises ServiceError where Maven is missing or fails, with the end of what it said.
        """
        place = self.place_of(artefact)
        if place.is_dir():
            return place
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder / f"{artefact.folder_name}.lock"):
            if not place.is_dir():  # another process may have fetched it while this one waited
                self._tell(f"fetching {artefact.name} ({artefact.coordinates[0]}) with Maven …")
                part = self.folder / f"{artefact.folder_name}.part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                (self._unpacked if artefact.is_archive else self._collected)(artefact, part).rename(place)
                shutil.rmtree(part, ignore_errors=True)
                self._tell(f"{artefact.name} lies in {place}")
        return place

    def _collected(self, artefact: Artefact, part: Path) -> Path:
        pom = part / "pom.xml"
        pom.write_text(pom_for(artefact))
        jars = part / "jars"
        self._run(artefact, "-f", str(pom), f"{_DEPENDENCY_PLUGIN}:copy-dependencies", f"-DoutputDirectory={jars}")
        if not any(jars.glob("*.jar")):
            raise ServiceError(f"Maven fetched {artefact.name} and left no jar in {jars}.")
        return jars

    def _unpacked(self, artefact: Artefact, part: Path) -> Path:
        archives = part / "archives"
        wanted = f"-Dartifact={artefact.coordinates[0]}"
        self._run(artefact, f"{_DEPENDENCY_PLUGIN}:copy", wanted, f"-DoutputDirectory={archives}")
        found = list(archives.glob("*.tar.gz"))
        if len(found) != 1:
            raise ServiceError(f"Maven fetched {artefact.name} and left {len(found)} archives in {archives}.")
        content = part / "content"
        with tarfile.open(found[0]) as archive:
            _unpack(archive, content)
        return content

    def _run(self, artefact: Artefact, *arguments: str) -> None:
        maven = shutil.which("mvn", path=self._environ.get("PATH"))
        if maven is None:
            raise ServiceError(
                f"{artefact.name} has to be fetched with Maven, and there is no `mvn`.",
                fix="Install Maven (Debian: apt-get install maven; macOS: brew install maven).",
            )
        command = [maven, "--batch-mode", "--no-transfer-progress", *arguments]
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self._environ, check=False
        )
        if ran.returncode != 0:
            said = [line for line in ran.stdout.splitlines() if line.startswith("[ERROR]")] or [ran.stderr.strip()]
            raise ServiceError(
                f"Maven could not fetch {artefact.name} ({', '.join(artefact.coordinates)}):\n" + "\n".join(said[:3]),
                fix="Look whether Maven's repository is reached (~/.m2/settings.xml names mirrors); then try again.",
            )


def pom_for(artefact: Artefact) -> str:
    """A pom.xml that depends on the artefact's jars."""
    dependencies = []
    for coordinate in artefact.coordinates:
        group, name, version = (escape(part) for part in coordinate.split(":"))
        dependencies.append(
            f"    <dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
            f"<version>{version}</version></dependency>\n"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n  <modelVersion>4.0.0</modelVersion>\n'
        f"  <groupId>aura-lake</groupId><artifactId>{escape(artefact.name)}</artifactId><version>1</version>\n"
        f"  <packaging>pom</packaging>\n  <dependencies>\n{''.join(dependencies)}  </dependencies>\n</project>\n"
    )


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files below the folder, and nothing else. (Python's own filter came with 3.11.4.)"""
    below = folder.resolve()
    for member in archive.getmembers():
        is_plain = member.isfile() or member.isdir()
        if not is_plain or not (folder / member.name).resolve().is_relative_to(below):
            raise ServiceError(f"{archive.name!r}: {member.name!r} is no plain file below the archive's folder.")
    archive.extractall(folder)
