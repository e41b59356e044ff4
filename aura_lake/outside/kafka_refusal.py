"""Why a broker does not let a client in.

The client library tries a connection that was refused again until its time is over, and then says that nobody
answered. So when that has happened, the first steps of a connection are made once more, one by one: TLS, a first
question, the login. Whoever speaks at a step against us is quoted. A broker that hangs up without a word may be one
that is just ending: it has to do so again and again.

Layouts of the messages: Kafka's protocol guide, "Headers", ApiVersions (key 18), Metadata (3), SaslHandshake (17),
SaslAuthenticate (36), each in a version that every broker since 1.0 knows.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka.net.sasl import get_sasl_mechanism

#: How long one broker may take for each step.
STEP_SECONDS = 5.0

#: So often a broker has to hang up on us, and so long it is left alone between.
HANG_UPS, PAUSE_SECONDS = 3, 1.0

_API_VERSIONS, _METADATA, _HANDSHAKE, _AUTHENTICATE = (18, 0), (3, 1), (17, 1), (36, 0)
_NO_MECHANISM, _NOT_EXPECTED = 33, 34

#: What a TLS server sends to whoever does not speak it: an alert record.
_TLS_ALERT = b"\x15\x03"

_PROTOCOL = "AURA_KAFKA_SECURITY_PROTOCOL"


@dataclass(frozen=True)
class Refusal:
    """What a broker has against us, and the settings to look at."""

    says: str
    fix: str


class _Refused(Exception):
    def __init__(self, says: str, fix: str) -> None:
        self.refusal = Refusal(says, fix)
        super().__init__(says)


class _HungUp(_Refused):
    """Without a word."""


def find_refusal(options: Mapping[str, Any]) -> Refusal | None:
    """What the first broker that can be reached has against a client of these options (`kafka_options`).

    None where no broker can be reached, or the one that is reached lets us in or keeps silent: then it is not a
    matter of settings.
    """
    for address in options["bootstrap_servers"]:
        for attempt in range(1, HANG_UPS + 1):
            host, port = address_of(address)
            try:
                with socket.create_connection((host, port), timeout=STEP_SECONDS) as wire:
                    _knock(wire, host, address, options)
                return None
            except _HungUp as refused:
                if attempt == HANG_UPS:
                    return refused.refusal
                time.sleep(PAUSE_SECONDS)
            except _Refused as refused:
                return refused.refusal
            except OSError:
                break  # it cannot be reached, or keeps silent
    return None


def address_of(broker: str) -> tuple[str, int]:
    """Host and port of a broker as settings name it; Kafka's own port where none is named."""
    host, _, port = broker.rpartition(":") if re.search(r":\d+$", broker) else (broker, "", "9092")
    return host.strip("[]"), int(port)


def _knock(wire: socket.socket, host: str, address: str, options: Mapping[str, Any]) -> None:
    protocol = str(options.get("security_protocol", "PLAINTEXT"))
    if protocol.endswith("SSL"):
        with _in_tls(wire, host, address, options) as secured:
            _ask_in(_Talk(secured, address, protocol), host, options)
    else:
        _ask_in(_Talk(wire, address, protocol), host, options)


def _ask_in(talk: _Talk, host: str, options: Mapping[str, Any]) -> None:
    if talk.protocol.startswith("SASL_"):
        _log_in(talk, host, options)
    else:
        talk.ask(_API_VERSIONS, b"")
        talk.ask(_METADATA, struct.pack(">i", 0), _LOGIN_WANTED)


_LOGIN_WANTED = "It asks for a login: set {protocol} to SASL_SSL or SASL_PLAINTEXT, and AURA_KAFKA_SASL_MECHANISM."


def _in_tls(wire: socket.socket, host: str, address: str, options: Mapping[str, Any]) -> socket.socket:
    context = _context(options)
    try:
        return context.wrap_socket(wire, server_hostname=host.rstrip("."))
    except ssl.SSLCertVerificationError as error:
        raise _Refused(
            f"the certificate of {address} is not trusted: {error.verify_message}",
            "Set AURA_KAFKA_CA_FILE to the certificates (PEM) that vouch for the brokers, and name the brokers as "
            "their certificates do.",
        ) from error
    except (ssl.SSLEOFError, ConnectionError) as error:
        raise _HungUp(f"{address} hangs up on a client of TLS", f"Set {_PROTOCOL} to what that port speaks.") from error
    except ssl.SSLError as error:
        raise _Refused(
            f"{address} does not speak TLS with us ({error.reason or error})",
            f"Set {_PROTOCOL} to what that port speaks; PLAINTEXT or SASL_PLAINTEXT are without TLS.",
        ) from error


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if options.get("ssl_cafile"):
            context.load_verify_locations(options["ssl_cafile"])
    except (OSError, ssl.SSLError) as error:
        raise _Refused(f"{options['ssl_cafile']} holds no certificates in PEM", "Mend AURA_KAFKA_CA_FILE.") from error
    if options.get("ssl_certfile"):
        try:
            context.load_cert_chain(
                options["ssl_certfile"], options.get("ssl_keyfile"), options.get("ssl_password") or ""
            )
        except (OSError, ssl.SSLError) as error:
            raise _Refused(
                f"the client's certificate {options['ssl_certfile']} and its key do not open ({error})",
                "Check AURA_KAFKA_CERTIFICATE_FILE, AURA_KAFKA_KEY_FILE and AURA_KAFKA_KEY_PASSWORD.",
            ) from error
    return context


def _log_in(talk: _Talk, host: str, options: Mapping[str, Any]) -> None:
    wanted = str(options["sasl_mechanism"])
    answer = talk.ask(_HANDSHAKE, _text(wanted))
    code, offered = struct.unpack(">h", answer[:2])[0], _texts(answer[2:])
    if code == _NOT_EXPECTED:
        raise _Refused(
            f"{talk.address} takes no login",
            f"Set {_PROTOCOL} to {'SSL' if talk.protocol == 'SASL_SSL' else 'PLAINTEXT'}.",
        )
    if code == _NO_MECHANISM or wanted not in offered:
        raise _Refused(
            f"{talk.address} takes no login by {wanted}, but by {', '.join(offered) or 'nothing'}",
            "Set AURA_KAFKA_SASL_MECHANISM to one of those.",
        )
    mechanism = get_sasl_mechanism(wanted)(host=host, **options)
    while not mechanism.is_done():
        token = mechanism.auth_bytes()
        answer = talk.ask(_AUTHENTICATE, struct.pack(">i", len(token)) + token)
        code, told = struct.unpack(">h", answer[:2])[0], _nullable_text(answer[2:])
        if code:
            raise _Refused(
                f"{talk.address} refuses the login of {options.get('sasl_plain_username')!r} by {wanted}"
                + (f": {told}" if told else ""),
                "Check AURA_KAFKA_USERNAME and AURA_KAFKA_PASSWORD.",
            )
        size_of_text = max(0, struct.unpack(">h", answer[2:4])[0])
        mechanism.receive(answer[8 + size_of_text :])


class _Talk:
    """Questions and answers on one connection."""

    def __init__(self, wire: socket.socket, address: str, protocol: str) -> None:
        self.address, self.protocol = address, protocol
        self._wire = wire

    def ask(self, question: tuple[int, int], body: bytes, fix: str | None = None) -> bytes:
        """The answer's body; `fix`: what to do where the broker hangs up instead."""
        message = struct.pack(">hhi", *question, 1) + _text("aura-lake") + body
        try:
            self._wire.sendall(struct.pack(">i", len(message)) + message)
            head = self._read(4)
            if head.startswith(_TLS_ALERT):
                raise _Refused(
                    f"{self.address} speaks TLS", f"Set {_PROTOCOL} to SSL, or to SASL_SSL where it asks for a login."
                )
            return self._read(struct.unpack(">i", head)[0])[4:]
        except (EOFError, ssl.SSLEOFError, ConnectionError) as error:
            raise _HungUp(
                f"{self.address} hangs up on a client of {self.protocol}",
                (fix or "Set {protocol} to what that port speaks.").format(protocol=_PROTOCOL),
            ) from error
        except ssl.SSLError as error:
            raise _Refused(
                f"{self.address} ends the connection: {error.reason or error}",
                "It may ask for a client's certificate: set AURA_KAFKA_CERTIFICATE_FILE and AURA_KAFKA_KEY_FILE.",
            ) from error

    def _read(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self._wire.recv(min(65_536, size - len(parts)))
            if not part:
                raise EOFError
            parts += part
        return parts


def _text(word: str) -> bytes:
    raw = word.encode()
    return struct.pack(">h", len(raw)) + raw


def _nullable_text(raw: bytes) -> str:
    size = struct.unpack(">h", raw[:2])[0]
    return raw[2 : 2 + size].decode(errors="replace") if size > 0 else ""


def _texts(raw: bytes) -> list[str]:
    count, at = struct.unpack(">i", raw[:4])[0], 4
    found = []
    for _ in range(count):
        word = _nullable_text(raw[at:])
        at += 2 + len(word.encode())
        found.append(word)
    return found
