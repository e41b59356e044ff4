"""How Kafka is reached: from `AURA_KAFKA_*`, as the client takes it.

Nothing of it stands in a contract: where a topic lies is the contract's, who may read it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aura_lake.errors import SettingsError

#: Variable -> option of kafka-python's clients.
VARIABLES: Mapping[str, str] = {
    "AURA_KAFKA_SECURITY_PROTOCOL": "security_protocol",
    "AURA_KAFKA_SASL_MECHANISM": "sasl_mechanism",
    "AURA_KAFKA_USERNAME": "sasl_plain_username",
    "AURA_KAFKA_PASSWORD": "sasl_plain_password",
    "AURA_KAFKA_CA_FILE": "ssl_cafile",
    "AURA_KAFKA_CERTIFICATE_FILE": "ssl_certfile",
    "AURA_KAFKA_KEY_FILE": "ssl_keyfile",
    "AURA_KAFKA_KEY_PASSWORD": "ssl_password",
}
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")

#: Seconds after which a broker that does not answer is called away.
ANSWER_SECONDS = 20


def kafka_options(brokers: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Options that every Kafka client takes. Raises SettingsError naming the variable."""
    options: dict[str, Any] = {name: environ[variable] for variable, name in VARIABLES.items() if environ.get(variable)}
    _check(options.get("security_protocol"), "AURA_KAFKA_SECURITY_PROTOCOL", PROTOCOLS)
    _check(options.get("sasl_mechanism"), "AURA_KAFKA_SASL_MECHANISM", MECHANISMS)
    is_login = str(options.get("security_protocol", "")).startswith("SASL_")
    if options.get("sasl_mechanism") and not is_login:
        raise SettingsError(
            "AURA_KAFKA_SASL_MECHANISM is set, and AURA_KAFKA_SECURITY_PROTOCOL uses no SASL.",
            fix="Set AURA_KAFKA_SECURITY_PROTOCOL to SASL_SSL, or to SASL_PLAINTEXT inside a trusted network.",
        )
    if is_login and not options.get("sasl_mechanism"):
        raise SettingsError(
            f"AURA_KAFKA_SECURITY_PROTOCOL={options['security_protocol']} asks for a login, and "
            "AURA_KAFKA_SASL_MECHANISM does not say by what.",
            fix=f"Set it to one of: {', '.join(MECHANISMS)}.",
        )
    if is_login and options["sasl_mechanism"] != "GSSAPI":
        for variable in ("AURA_KAFKA_USERNAME", "AURA_KAFKA_PASSWORD"):
            if VARIABLES[variable] not in options:
                raise SettingsError(
                    f"{variable} is not set, and a login by {options['sasl_mechanism']} needs it.",
                    fix=f"Set {variable}.",
                )
    for variable in ("AURA_KAFKA_CA_FILE", "AURA_KAFKA_CERTIFICATE_FILE", "AURA_KAFKA_KEY_FILE"):
        named = options.get(VARIABLES[variable])
        if named is not None and not Path(named).is_file():
            raise SettingsError(f"{variable}: there is no file {named}.", fix="Point it at a PEM file.")
    return {
        "bootstrap_servers": [broker.strip() for broker in brokers.split(",") if broker.strip()],
        "client_id": "aura-lake",
        "request_timeout_ms": ANSWER_SECONDS * 1000,
        "bootstrap_timeout_ms": ANSWER_SECONDS * 1000,
        **options,
    }


def _check(value: Any, variable: str, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise SettingsError(f"{variable}={value!r} is not known.", fix=f"Use one of: {', '.join(known)}.")
