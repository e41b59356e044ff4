"""The secret with which personal values are hashed, and where it is kept."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.errors import LakeError, SettingsError
from aura_lake.settings import Settings

#: Shorter keys can be guessed; 32 bytes is the output length of SHA-256 (RFC 2104, section 3).
MINIMUM_BYTES = 32


@dataclass(frozen=True)
class HashKey:
    """A secret and its public id: the id stands in the lake and before every hash."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Eight hex digits that tell keys apart and say nothing about the secret."""
        return hashlib.sha256(b"aura-lake key id" + self.secret).hexdigest()[:8]


def read_key(settings: Settings) -> tuple[HashKey, bool]:
    """The lake's hash key, and whether it was made just now.

    `AURA_PII_KEY` wins; without it a local lake keeps a key of its own in `secrets/pii.key`
    (readable by its owner only), made once. A lake on S3 is refused without the variable.
    """
    given = settings.environ.get("AURA_PII_KEY", "")
    if given:
        secret = given.encode()
        if len(secret) < MINIMUM_BYTES:
            raise SettingsError(
                f"AURA_PII_KEY has {len(secret)} bytes; at least {MINIMUM_BYTES} are needed.",
                fix="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
            )
        return HashKey(secret), False
    if not settings.is_local:
        raise SettingsError(
            f"AURA_PII_KEY is not set, and the lake is {settings.home}: a key kept beside the data would hide nothing.",
            fix="Set AURA_PII_KEY (32 bytes or more) from your secret store.",
        )
    path = Path(settings.home) / "secrets" / "pii.key"
    if path.is_file():
        return HashKey(path.read_bytes()), False
    try:
        return _made_once(path)
    except OSError as error:
        raise LakeError(
            f"{path}: the key for personal values cannot be made: {os.strerror(error.errno or 0)}.",
            fix="Point AURA_HOME at a place you may write to, with room left; or set AURA_PII_KEY.",
        ) from error


def _made_once(path: Path) -> tuple[HashKey, bool]:
    """A new key in `path`, or the one that another process put there first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = secrets.token_hex(32).encode()
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return HashKey(path.read_bytes()), False
    finally:
        temporary.unlink(missing_ok=True)
    return HashKey(secret), True
