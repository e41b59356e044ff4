"""How to reach a Snowflake account: key-pair authentication, and nothing else in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aura_lake.errors import SettingsError

PREFIX = "AURA_SNOWFLAKE_"


@dataclass(frozen=True)
class SnowflakeSettings:
    """An account, a user of it and his key. The key stands as a path or as PEM text.

    `host`, `port`, `protocol` and `password` are for a stand-in without accounts (fakesnow):
    a password without a host is refused.
    """

    account: str
    user: str
    database: str
    warehouse: str | None = None
    role: str | None = None
    private_key_path: Path | None = None
    private_key: str | None = field(default=None, repr=False)  #: PEM
    passphrase: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int = 443
    protocol: str = "https"
    password: str | None = field(default=None, repr=False)
    network_timeout_seconds: int = 60

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> SnowflakeSettings:
        """Settings from `AURA_SNOWFLAKE_*`. Raises SettingsError naming variable and fix."""
        given = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX)}
        missing = [PREFIX + name for name in ("ACCOUNT", "USER", "DATABASE") if not given.get(name)]
        if missing:
            raise SettingsError(
                f"AURA_WAREHOUSE=snowflake needs {', '.join(missing)}.",
                fix="Set them, or AURA_WAREHOUSE=duckdb for a warehouse without an account.",
            )
        key_path = given.get("PRIVATE_KEY_PATH")
        settings = SnowflakeSettings(
            account=given["ACCOUNT"],
            user=given["USER"],
            database=given["DATABASE"],
            warehouse=given.get("WAREHOUSE") or None,
            role=given.get("ROLE") or None,
            private_key_path=Path(key_path).expanduser() if key_path else None,
            private_key=given.get("PRIVATE_KEY") or None,
            passphrase=given.get("PASSPHRASE") or None,
            host=given.get("HOST") or None,
            port=_number(given, "PORT", 443),
            protocol=given.get("PROTOCOL") or "https",
            password=given.get("PASSWORD") or None,
            network_timeout_seconds=_number(given, "NETWORK_TIMEOUT", 60),
        )
        settings.refuse_what_is_unsafe()
        return settings

    def refuse_what_is_unsafe(self) -> None:
        """SettingsError for a password sent to a real account, or no way to authenticate."""
        if self.password and not self.host:
            raise SettingsError(
                f"{PREFIX}PASSWORD is set for the account {self.account}; Aura Lake uses key pairs there.",
                fix=f"Unset it and set {PREFIX}PRIVATE_KEY_PATH (and {PREFIX}PASSPHRASE).",
            )
        if not (self.password or self.private_key or self.private_key_path):
            raise SettingsError(
                f"There is no key for {self.user} in the account {self.account}.",
                fix=f"Set {PREFIX}PRIVATE_KEY_PATH to a PKCS#8 key, or {PREFIX}PRIVATE_KEY to its text.",
            )
        if self.private_key_path is not None and not self.private_key_path.is_file():
            raise SettingsError(
                f"{PREFIX}PRIVATE_KEY_PATH: there is no file {self.private_key_path}.",
                fix="Point it at the user's private key in PEM.",
            )

    def dbt_environment(self) -> dict[str, str]:
        """The variables that dbt/profiles.yml reads."""
        values = {
            "ACCOUNT": self.account,
            "USER": self.user,
            "DATABASE": self.database,
            "WAREHOUSE": self.warehouse or "",
            "ROLE": self.role or "",
            "PRIVATE_KEY_PATH": str(self.private_key_path or ""),
            "HOST": self.host or "",
            "PORT": str(self.port),
            "PROTOCOL": self.protocol,
            "NETWORK_TIMEOUT": str(self.network_timeout_seconds),
        }
        secrets = {
            "PRIVATE_KEY": self.private_key or "",
            "PASSPHRASE": self.passphrase or "",
            "PASSWORD": self.password or "",
        }
        # dbt scrubs the values of variables with this prefix from everything it writes.
        return {PREFIX + name: value for name, value in values.items()} | {
            f"DBT_ENV_SECRET_{PREFIX}{name}": value for name, value in secrets.items()
        }

    def private_key_der(self) -> bytes | None:
        """The key as the connector takes it, unlocked; None where a password is used."""
        from cryptography.hazmat.primitives import serialization

        if self.private_key is not None:
            pem = self.private_key.encode()
        elif self.private_key_path is not None:
            pem = self.private_key_path.read_bytes()
        else:
            return None
        passphrase = self.passphrase.encode() if self.passphrase else None
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError) as error:
            where = "the key's text" if self.private_key is not None else str(self.private_key_path)
            raise SettingsError(
                f"The private key of {self.user} ({where}) cannot be read.",
                fix=f"It must be PKCS#8 in PEM; an encrypted one needs {PREFIX}PASSPHRASE, a plain one none.",
            ) from error
        return key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name) or str(default)
    if not text.isdigit():
        raise SettingsError(f"{PREFIX}{name}={text!r} is not a whole number.", fix=f"The default is {default}.")
    return int(text)
