"""The warehouse and the dbt project that the settings name."""

from __future__ import annotations

from collections.abc import Mapping

from aura_lake.contracts.contract import Shop
from aura_lake.settings import Settings
from aura_lake.warehouse.dbt_runner import DbtGold
from aura_lake.warehouse.duckdb_warehouse import DuckDBWarehouse
from aura_lake.warehouse.warehouse import Warehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """DuckDB's file in the state folder, or the Snowflake account of `AURA_SNOWFLAKE_*`."""
    if settings.warehouse == "snowflake":
        from aura_lake.warehouse.snowflake_settings import SnowflakeSettings
        from aura_lake.warehouse.snowflake_warehouse import SnowflakeWarehouse

        return SnowflakeWarehouse(SnowflakeSettings.from_environment(settings.environ))
    settings.state.mkdir(parents=True, exist_ok=True)
    return DuckDBWarehouse(settings.state / "warehouse.duckdb")


def open_gold(settings: Settings, shop: Shop) -> DbtGold:
    """The dbt project on that warehouse, with what holds for the shop."""
    variables = {
        "shop_time_zone": shop.time_zone,
        "shop_currency": shop.currency or "",
        "shop_tables": sorted(shop.contracts),
    }
    return DbtGold(
        settings.project / "dbt", settings.state / "dbt", settings.warehouse, _connection(settings), variables
    )


def _connection(settings: Settings) -> Mapping[str, str]:
    """The variables that dbt's profile reads."""
    if settings.warehouse == "snowflake":
        from aura_lake.warehouse.snowflake_settings import SnowflakeSettings

        return SnowflakeSettings.from_environment(settings.environ).dbt_environment()
    return {"AURA_DUCKDB_PATH": str(settings.state / "warehouse.duckdb")}
