"""Check a document against the Open Data Contract Standard.

Two checks, since neither is enough: the models of the `open-data-contract-standard`
package know every key, so that a misspelt one can be named with the right one beside
it; its JSON Schema knows the types, the choices and what is required.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, get_args

from aura_lake.contracts.element import Element
from aura_lake.contracts.model import ModelTable
from aura_lake.contracts.problems import did_you_mean
from aura_lake.contracts.yaml_source import Path_


def check_standard(contract: Element, model: Mapping[str, ModelTable]) -> None:
    """Note every key and value of the document that is not ODCS.

    A column of the commerce model may leave out its logicalType: the model has it.
    """
    known = _without_unknown_keys(contract)
    _fill_logical_types(known, model)
    _fill_formats(known)
    errors = [_deepest(error) for error in _validator().iter_errors(known)]
    # A key counts as unexpected when the part of the schema that knows it failed for another reason.
    explained = {tuple(error.absolute_path) for error in errors if error.validator != "unevaluatedProperties"}
    for error in errors:
        path: Path_ = tuple(error.absolute_path)
        if error.validator == "unevaluatedProperties" and any(p[: len(path)] == path for p in explained):
            continue
        what, fix = _explain(error)
        line = contract.document.line(path)
        contract.problems.add(contract.document.file, line, what, fix)


def _without_unknown_keys(contract: Element) -> dict[str, Any]:
    """A copy of the document with only known keys; the others are noted."""
    from open_data_contract_standard.model import OpenDataContractStandard

    known: dict[str, Any] = _known_part(contract, contract.value, (), OpenDataContractStandard)
    return known


def _known_part(contract: Element, value: Any, path: Path_, model: Any) -> Any:
    if isinstance(value, list):
        return [_known_part(contract, item, (*path, index), model) for index, item in enumerate(value)]
    if not isinstance(value, dict) or model is None:
        return value
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    known = {}
    for key, item in value.items():
        if key not in fields:
            contract.problems.add(
                contract.document.file,
                contract.document.line((*path, key)),
                f"the key {key!r} is not in the standard here.",
                did_you_mean(key, fields),
            )
            continue
        known[key] = _known_part(contract, item, (*path, key), _model_in(fields[key].annotation))
    return known


def _model_in(annotation: Any) -> Any:
    """The package's model that an annotation names, e.g. of `list[Server] | None`."""
    if hasattr(annotation, "model_fields"):
        return annotation
    found = [_model_in(part) for part in get_args(annotation)]
    return next((model for model in found if model is not None), None)


def _fill_logical_types(document: dict[str, Any], model: Mapping[str, ModelTable]) -> None:
    schema = document.get("schema")
    for table in schema if isinstance(schema, list) else []:
        properties = table.get("properties") if isinstance(table, dict) else None
        modelled = model.get(str(table.get("name"))) if properties else None
        types = {c.name: c.logical_type for c in modelled.columns} if modelled else {}
        for column in properties if isinstance(properties, list) else []:
            if isinstance(column, dict):
                # The schema's conditions misread a missing logicalType as each of its choices;
                # `columns` says that it is missing.
                column.setdefault("logicalType", types.get(str(column.get("name")), "string"))


def _fill_formats(document: dict[str, Any]) -> None:
    """The standard asks for a local server's format; here the names of the objects may say it."""
    servers = document.get("servers")
    for server in servers if isinstance(servers, list) else []:
        if isinstance(server, dict) and server.get("type") == "local":
            server.setdefault("format", "json")


@cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator

    text = resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    return Draft201909Validator(json.loads(text))


def _deepest(error: Any) -> Any:
    """Of an error with alternatives, the complaint that stands deepest in the document."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def _explain(error: Any) -> tuple[str, str]:
    """What a JSON Schema error means for the author of a contract, and what to do."""
    name = next((repr(step) for step in reversed(error.absolute_path) if isinstance(step, str)), "")
    where = f" in {name}" if name else ""
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{missing!r} is missing{where}.", f"Add {missing}: {_example(missing)}".rstrip()
    if error.validator == "enum":
        options = [str(option) for option in error.validator_value]
        return f"{error.instance!r} is not a value of {name}.", did_you_mean(str(error.instance), options)
    if error.validator == "type":
        wanted = error.validator_value
        wanted = wanted if isinstance(wanted, str) else " or ".join(wanted)
        called = {"string": "text", "array": "a list", "object": "a mapping"}.get(wanted, wanted)
        fix = "Quote it." if wanted == "string" else "See docs/contracts.md."
        return f"{name} is {error.instance!r} and has to be {called}.", fix
    if error.validator in ("unevaluatedProperties", "additionalProperties"):
        extra = ", ".join(repr(key) for key in _unexpected(error.message))
        return f"the key {extra} does not belong{where}.", "Remove it, or see docs/contracts.md."
    return f"the value{where} is not what the standard asks for.", "See docs/contracts.md."


def _unexpected(message: str) -> Iterator[str]:
    """The keys between quotes in the validator's message."""
    yield from message.split("'")[1::2]


def _example(key: str) -> str:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "a name that is unique in the shop",
        "version": "1.0.0",
        "status": "active",
        "path": "the folder of the objects",
        "location": "s3://bucket/prefix",
        "format": "jsonl, json or csv",
    }.get(key, "")
