"""Snowflake's connector, imported when it is needed and in silence."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType


def connector() -> ModuleType:
    """`snowflake.connector`, without its vendored requests' word on newer releases of urllib3."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"urllib3 .* doesn't match a supported version")
        return importlib.import_module("snowflake.connector")
