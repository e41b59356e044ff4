"""PostgreSQL, whose log a connector can read."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from aura_lake.errors import ServiceError
from aura_lake.services.service import Missing, Service, loopback
from aura_lake.services.site import HOST

#: The release that is tried. Newer ones are taken where this one is not installed.
VERSION = "15"

#: The superuser of the cluster. It needs no password: only this machine reaches it.
USER = "postgres"

#: PostgreSQL refuses to run as root; Debian's package makes this user.
_UNPRIVILEGED = "postgres"


class Postgres(Service):
    """A cluster of its own below the site's folder: never the one that the system runs."""

    name: ClassVar[str] = "postgres"
    patience_seconds: ClassVar[float] = 60
    #: "Fast": clients are sent away. At SIGTERM it would wait for each to leave by itself.
    ending: ClassVar[signal.Signals] = signal.SIGINT
    #: "Immediate": like a crash, and it takes its shared memory along.
    orphaned: ClassVar[signal.Signals] = signal.SIGQUIT

    def dsn(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://{USER}@{loopback(self.port)}/{database}"

    @property
    def address(self) -> str:
        """The cluster's URL, without a database."""
        return f"postgresql://{USER}@{loopback(self.port)}"

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    def missing(self) -> list[Missing]:
        """The server's programs, where they are neither in PATH nor where Debian puts them."""
        if self._binaries() is None:
            why = "the shop's own database, whose changes are read"
            return [Missing("postgres", why, apt="postgresql", brew=f"postgresql@{VERSION}")]
        if os.geteuid() == 0 and self.site.program("setpriv") is None:
            return [Missing("setpriv", "PostgreSQL does not run as root", apt="util-linux")]
        return []

    def fetch(self) -> None:
        """Nothing: the system's packages have it."""

    def prepare(self) -> None:
        """`initdb` where there is no cluster, and this start's settings."""
        self._own(self.folder)
        self._must_be_reached()
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        settings = self.data / "aura.conf"
        settings.write_text(self.settings())
        self._own(settings)
        main = self.data / "postgresql.conf"
        if "include 'aura.conf'" not in main.read_text():
            with main.open("a") as lines:
                lines.write("include 'aura.conf'\n")

    def settings(self) -> str:
        """The settings that differ from PostgreSQL's own."""
        told: dict[str, str | int] = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",  # a socket's path may be 107 bytes at most, a lake's may be longer
            "wal_level": "logical",
            "max_replication_slots": 20,
            "max_wal_senders": 20,
            "wal_sender_timeout": "60s",
            "shared_buffers": "64MB",
            "max_prepared_transactions": 5,
            # A connector that is gone for good keeps its slot: let it not fill the disk.
            "max_slot_wal_keep_size": "4GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "synchronous_commit": "on",  # off would show changes to a slot late
            "fsync": "on" if self.site.is_durable else "off",
            "full_page_writes": "on" if self.site.is_durable else "off",
        }
        return "".join(f"{name} = '{value}'\n" for name, value in told.items())

    def command(self) -> list[str]:
        """The postmaster itself, in the foreground."""
        return [str(self._program("postgres")), "-D", str(self.data)]

    def launcher(self) -> list[str]:
        """As another user where we are root; a change of user cuts the tie, so it is tied after that."""
        return [*self._as_user(), *super().launcher()]

    def environment(self) -> Mapping[str, str]:
        """Without PGPORT, PGDATA and their like, which would bend the settings."""
        kept = {name: value for name, value in self.site.environ.items() if not name.startswith("PG")}
        return {**kept, "LC_ALL": "C"}

    def answers(self) -> bool:
        """Whether it takes connections (`pg_isready`)."""
        command = [
            str(self._program("pg_isready")),
            "--quiet",
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-U",
            USER,
            "-d",
            "postgres",
        ]
        return subprocess.run(command, env=self.environment(), check=False).returncode == 0

    def create_database(self, name: str) -> None:
        """A database; nothing where it is there."""
        there = "select 1 from pg_database where datname = :'name'"
        if not self._psql(there, name=name).strip():
            self._psql('create database :"name"', name=name)

    def _psql(self, sql: str, **variables: str) -> str:
        given = [f"--set={name}={value}" for name, value in variables.items()]
        command = [str(self._program("psql")), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *given]
        command += self._here()
        ran = subprocess.run(command, input=sql, capture_output=True, text=True, env=self.environment(), check=False)
        if ran.returncode != 0:
            raise ServiceError(f"postgres at {self.address} refused `{sql}`: {ran.stderr.strip()}")
        return ran.stdout

    def _here(self) -> list[str]:
        return ["-h", HOST, "-p", str(self.port), "-U", USER, "-d", "postgres"]

    def _make_cluster(self) -> None:
        """Made beside its place and renamed when whole: a half cluster is not taken for one."""
        draft = self.folder / "data.part"
        shutil.rmtree(draft, ignore_errors=True)
        command = [*self._as_user(), str(self._program("initdb")), "-D", str(draft), "-U", USER, "-A", "trust"]
        command += ["-E", "UTF8", "--no-locale", *([] if self.site.is_durable else ["--no-sync"])]
        ran = subprocess.run(command, cwd="/", capture_output=True, text=True, env=self.environment(), check=False)
        if ran.returncode != 0:
            raise ServiceError(f"initdb could not make a cluster in {draft}: {ran.stderr.strip()[-1000:]}")
        draft.rename(self.data)

    def _as_user(self) -> list[str]:
        """Words before a command, where we are root: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return []
        user = _unprivileged_user()
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def _own(self, path: Path) -> None:
        """Give a file or folder to the unprivileged user, where we are root."""
        if os.geteuid() == 0:
            user = _unprivileged_user()
            os.chown(path, user.pw_uid, user.pw_gid)

    def _must_be_reached(self) -> None:
        """Raises ServiceError where the unprivileged user cannot get to its folder."""
        if os.geteuid() != 0:
            return
        for place in [*reversed(self.folder.parents), self.folder]:
            if subprocess.run([*self._as_user(), "test", "-x", str(place)], cwd="/", check=False).returncode != 0:
                raise ServiceError(
                    f"PostgreSQL does not run as root but as {_UNPRIVILEGED}, who may not enter {place}.",
                    fix=f"chmod o+x {place}, set AURA_STATE to a folder that others may enter, or do not run as root.",
                )

    def _program(self, name: str) -> Path:
        binaries = self._binaries()
        if binaries is None:
            raise ServiceError(f"There is no PostgreSQL on this machine ({name} is wanted).")
        return binaries / name

    def _binaries(self) -> Path | None:
        """The folder of PostgreSQL's programs: our release, else the newest; Debian keeps them out of PATH."""
        found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").is_file()]
        found.sort(key=lambda path: (path.parent.name == VERSION, _number(path.parent.name)))
        if found:
            return found[-1]
        on_path = self.site.program("postgres")
        return Path(on_path).resolve().parent if on_path else None


def _unprivileged_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as error:
        raise ServiceError(
            f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED} to run it as.",
            fix=f"useradd --system {_UNPRIVILEGED}, or do not run as root.",
        ) from error


def _number(release: str) -> float:
    return float(release) if re.fullmatch(r"\d+(\.\d+)?", release) else 0.0
