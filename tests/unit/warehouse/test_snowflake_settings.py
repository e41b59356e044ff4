"""What AURA_SNOWFLAKE_* must say before anything connects."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from aura_lake.errors import SettingsError
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings

ACCOUNT = {
    "AURA_SNOWFLAKE_ACCOUNT": "shop-eu",
    "AURA_SNOWFLAKE_USER": "loader",
    "AURA_SNOWFLAKE_DATABASE": "SHOP",
}


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(passphrase: str | None = None) -> str:
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    return key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode()


def test_missing_variables_are_named_together() -> None:
    with pytest.raises(SettingsError, match=r"needs AURA_SNOWFLAKE_ACCOUNT, AURA_SNOWFLAKE_DATABASE\."):
        SnowflakeSettings.from_environment({"AURA_SNOWFLAKE_USER": "loader"})


def test_a_user_without_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"There is no key for loader in the account shop-eu"):
        SnowflakeSettings.from_environment(ACCOUNT)


def test_a_password_is_refused_where_there_is_a_real_account() -> None:
    with pytest.raises(SettingsError, match=r"AURA_SNOWFLAKE_PASSWORD is set for the account shop-eu"):
        SnowflakeSettings.from_environment({**ACCOUNT, "AURA_SNOWFLAKE_PASSWORD": "x"})
    stand_in = {**ACCOUNT, "AURA_SNOWFLAKE_PASSWORD": "x", "AURA_SNOWFLAKE_HOST": "127.0.0.1"}
    assert SnowflakeSettings.from_environment(stand_in).host == "127.0.0.1"


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    with pytest.raises(SettingsError, match=r"AURA_SNOWFLAKE_PRIVATE_KEY_PATH: there is no file .*key\.p8"):
        SnowflakeSettings.from_environment({**ACCOUNT, "AURA_SNOWFLAKE_PRIVATE_KEY_PATH": str(path)})


def test_a_port_that_is_no_number_is_named() -> None:
    with pytest.raises(SettingsError, match=r"AURA_SNOWFLAKE_PORT='https' is not a whole number"):
        SnowflakeSettings.from_environment({**ACCOUNT, "AURA_SNOWFLAKE_PORT": "https"})


def test_a_key_is_read_from_text_or_file_and_unlocked(tmp_path: Path) -> None:
    text = pem("open sesame")
    path = tmp_path / "key.p8"
    path.write_text(text)
    for given in ({"PRIVATE_KEY": text}, {"PRIVATE_KEY_PATH": str(path)}):
        environ = {f"AURA_SNOWFLAKE_{name}": value for name, value in given.items()}
        settings = SnowflakeSettings.from_environment(
            {**ACCOUNT, **environ, "AURA_SNOWFLAKE_PASSPHRASE": "open sesame"}
        )
        der = settings.private_key_der()
        assert der is not None
        assert serialization.load_der_private_key(der, None) is not None


def test_a_key_with_a_wrong_passphrase_says_so_without_showing_it() -> None:
    settings = SnowflakeSettings.from_environment(
        {**ACCOUNT, "AURA_SNOWFLAKE_PRIVATE_KEY": pem("open sesame"), "AURA_SNOWFLAKE_PASSPHRASE": "open barley"}
    )
    with pytest.raises(SettingsError, match=r"The private key of loader \(the key's text\) cannot be read") as raised:
        settings.private_key_der()
    assert "barley" not in str(raised.value)


def test_secrets_are_in_no_representation_and_scrubbed_by_dbt() -> None:
    settings = SnowflakeSettings.from_environment({**ACCOUNT, "AURA_SNOWFLAKE_PRIVATE_KEY": pem()})
    assert "PRIVATE KEY" not in repr(settings)
    secret = {name for name, value in settings.dbt_environment().items() if "PRIVATE KEY" in value}
    assert secret == {"DBT_ENV_SECRET_AURA_SNOWFLAKE_PRIVATE_KEY"}
