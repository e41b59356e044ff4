"""Snowflake as a Dagster resource, for assets that a person adds beside ours.

The graph's own loads go through the warehouse seam, which needs one transaction with its watermark; an asset of
somebody's own needs a connection to the same account, and gets it here, by the same settings.
"""

from __future__ import annotations

from typing import Any

from aura_lake.settings import Settings
from aura_lake.warehouse.snowflake_connector import connector
from aura_lake.warehouse.snowflake_settings import SnowflakeSettings

#: The name under which assets ask Dagster for it.
SNOWFLAKE = "snowflake"


def warehouse_resources(settings: Settings) -> dict[str, Any]:
    """`snowflake` where it is the warehouse, else nothing. Raises SettingsError as the warehouse does."""
    if settings.warehouse != SNOWFLAKE:
        return {}
    connector()  # imported in silence, before dagster-snowflake does it aloud
    from dagster_snowflake import SnowflakeResource  # a second of imports that only Snowflake needs

    given = SnowflakeSettings.from_environment(settings.environ)
    more: dict[str, Any] = {"network_timeout": given.network_timeout_seconds}
    if given.host:
        more |= {"host": given.host, "port": given.port, "protocol": given.protocol}
    return {
        SNOWFLAKE: SnowflakeResource(
            account=given.account,
            user=given.user,
            database=given.database,
            warehouse=given.warehouse,
            role=given.role,
            password=given.password,
            private_key=given.private_key,
            private_key_path=str(given.private_key_path) if given.private_key_path else None,
            private_key_password=given.passphrase,
            additional_snowflake_connection_args=more,
        )
    }
