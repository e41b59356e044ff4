"""An S3 server whose objects are files: versitygw."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import ClassVar

from aura_lake.services.service import Missing, Service, loopback

VERSION = "v1.8.0"

#: What `go install` takes.
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"

#: S3 has no anonymous writers, so there has to be a key; it opens nothing but this server.
ACCESS_KEY, SECRET_KEY = "aura", "aura-on-loopback"

REGION = "us-east-1"


class S3(Service):
    """A server whose buckets are folders below its own. It does conditional puts, which Delta's commits need."""

    name: ClassVar[str] = "s3"
    patience_seconds: ClassVar[float] = 30

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{loopback(self.port)}"

    @property
    def address(self) -> str:
        """The same."""
        return self.url

    @property
    def client_environment(self) -> dict[str, str]:
        """All that a process needs to reach it."""
        return {
            "AURA_S3_ENDPOINT_URL": self.url,
            "AURA_S3_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def missing(self) -> list[Missing]:
        """The server's program, of PATH or of the cache."""
        if self.site.program("versitygw"):
            return []
        return [Missing("versitygw", "keeps S3 objects in files", go=MODULE)]

    def fetch(self) -> None:
        """Nothing: `up` installs it."""

    def prepare(self) -> None:
        """The folder of its buckets."""
        (self.folder / "buckets").mkdir(exist_ok=True)

    def make_bucket(self, name: str) -> None:
        """A bucket; nothing where it is there."""
        (self.folder / "buckets" / name).mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The server, in the foreground."""
        program = self.site.program("versitygw") or "versitygw"
        given = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION, "--port", loopback(self.port)]
        return [program, *given, "--quiet", "posix", str(self.folder / "buckets")]

    def environment(self) -> Mapping[str, str]:
        """Without the variables by which its own settings could be bent."""
        return {name: value for name, value in self.site.environ.items() if not name.startswith(("VGW_", "ROOT_"))}

    def answers(self) -> bool:
        """Whether it speaks S3: a stranger is refused in XML."""
        try:
            with urllib.request.urlopen(self.url, timeout=2):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 403
        except OSError:
            return False
