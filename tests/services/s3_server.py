"""A real S3 server on this machine: versitygw where it is installed, else moto's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCESS_KEY, SECRET_KEY = "aura-tests", "aura-tests-secret"


@dataclass(frozen=True)
class S3Server:
    """`environment` is all a process needs to reach it."""

    name: str
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AURA_S3_ENDPOINT_URL": self.url,
            "AURA_S3_REGION": "us-east-1",
        }

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def upload(self, folder: Path, bucket: str, prefix: str) -> int:
        """Every file below `folder`, under `prefix`; how many there were."""
        client = self.client()
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in files:
            client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")
        return len(files)


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A server with its data below `folder`, for as long as the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gateway = shutil.which("versitygw")
    if gateway:
        data = folder / "objects"
        data.mkdir()
        command = [gateway, "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", f"127.0.0.1:{port}"]
        command += ["posix", str(data)]
    else:
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = S3Server("versitygw" if gateway else "moto", f"http://127.0.0.1:{port}")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(port, process, folder / "server.log")
            yield server
        finally:
            process.terminate()
            process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # a server has no way to say that it listens but to listen
    raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}")
