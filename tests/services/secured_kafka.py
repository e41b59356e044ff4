"""A broker of tests that lets in only whom it knows: by a login, or by a certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from aura_lake.services.kafka import Kafka
from aura_lake.services.service import loopback
from aura_lake.services.site import free_ports
from tests.services.live import skip_where_missing, stopped_stack

USER, PASSWORD = "ann", "ann's secret"
KEY_PASSWORD = "key's secret"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM, made by openssl: an authority, and what it vouches for."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    @staticmethod
    def make(folder: Path) -> Certificates:
        """`ca.pem`; of `broker` and `client` the `.pem`, `.key`, and `.keystore.pem` (both in one); `client.locked.key`
        under KEY_PASSWORD; `other-ca.pem`, which vouches for none of them."""
        folder.mkdir(parents=True)
        for authority in ("ca", "other-ca"):
            _openssl(
                folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{authority}.key", "-out",
                f"{authority}.pem", "-days", "2", "-subj", f"/CN=aura tests {authority}",
            )  # fmt: skip
        (folder / "names.txt").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        for name in ("broker", "client"):
            _openssl(
                folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}",
            )  # fmt: skip
            _openssl(
                folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "2", "-extfile", "names.txt",
            )  # fmt: skip
            both = (folder / f"{name}.key").read_text() + (folder / f"{name}.pem").read_text()
            (folder / f"{name}.keystore.pem").write_text(both)
        _openssl(
            folder, "pkcs8", "-topk8", "-in", "client.key", "-out", "client.locked.key", "-passout",
            f"pass:{KEY_PASSWORD}",
        )  # fmt: skip
        return Certificates(folder)


class SecuredKafka(Kafka):
    """A broker with a listener for each way in, beside the plain one."""

    #: Listener -> the protocol it speaks.
    LISTENERS: ClassVar[dict[str, str]] = {
        "LOGIN": "SASL_PLAINTEXT",
        "TLS": "SSL",
        "MUTUAL": "SSL",
        "LOGIN_TLS": "SASL_SSL",
    }
    certificates: Certificates

    def bootstrap_of(self, listener: str) -> str:
        """What clients of that listener are given."""
        return loopback(self.site.ports[listener])

    def settings(self) -> dict[str, str | int]:
        """The plain broker's, and the listeners."""
        plain = super().settings()
        named = [f"{name}://{self.bootstrap_of(name)}" for name in self.LISTENERS]
        protocols = [f"{name}:{protocol}" for name, protocol in self.LISTENERS.items()]
        settings: dict[str, str | int] = {
            **plain,
            "listeners": ",".join([str(plain["listeners"]), *named]),
            "advertised.listeners": ",".join([str(plain["advertised.listeners"]), *named]),
            "listener.security.protocol.map": ",".join([str(plain["listener.security.protocol.map"]), *protocols]),
        }
        for name, protocol in self.LISTENERS.items():
            prefix = f"listener.name.{name.lower()}."
            if protocol.endswith("SSL"):
                settings |= {
                    f"{prefix}ssl.keystore.type": "PEM",
                    f"{prefix}ssl.keystore.location": str(self.certificates["broker.keystore.pem"]),
                    f"{prefix}ssl.truststore.type": "PEM",
                    f"{prefix}ssl.truststore.location": str(self.certificates["ca.pem"]),
                    f"{prefix}ssl.client.auth": "required" if name == "MUTUAL" else "none",
                }
            if protocol.startswith("SASL"):
                modules = "org.apache.kafka.common.security"
                plain_users = f'{modules}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
                settings |= {
                    f"{prefix}sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
                    f"{prefix}plain.sasl.jaas.config": plain_users,
                    f"{prefix}scram-sha-256.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
                    f"{prefix}scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
                }
        return settings

    def know(self, user: str, password: str) -> None:
        """Let this user in by SCRAM too. (PLAIN's users stand in the settings.)"""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            told = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, mechanism, password)])
            assert told == {user: None}, told
        admin.close()


@contextmanager
def secured_kafka() -> Iterator[SecuredKafka]:
    """Such a broker, answering, for as long as the block lasts."""
    with stopped_stack() as stack:
        skip_where_missing(stack, "kafka")
        listeners = list(SecuredKafka.LISTENERS)
        ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
        broker = SecuredKafka(replace(stack.site, ports={**stack.site.ports, **ports}))
        broker.certificates = Certificates.make(stack.site.root / "certificates")
        broker.start()
        broker.know(USER, PASSWORD)
        yield broker


def _openssl(folder: Path, *words: str) -> None:
    ran = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
