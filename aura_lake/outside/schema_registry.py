"""Schemas by their id, from a registry that speaks Confluent's REST API.

Confluent's own, Redpanda's, Karapace, and Apicurio's under `/apis/ccompat/v7`. (Confluent, "Schema Registry
API Reference", "Schemas" and "Subjects"; the absent schemaType means AVRO there.)
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from aura_lake.cdc.wire_schema import AVRO, Reference, WireSchema
from aura_lake.errors import FeedError, FeedUnavailable, SettingsError

USER, PASSWORD = "AURA_SCHEMA_REGISTRY_USER", "AURA_SCHEMA_REGISTRY_PASSWORD"

#: Seconds after which a registry that does not answer is called away.
ANSWER_SECONDS = 10.0

#: Registries count their schemas in Java's int; what a frame says beyond it is no id and is not asked for.
LAST_ID = 2**31 - 1

#: What a registry answers, beside the status 404, where it has no such subject, version or schema.
_NOT_FOUND = (40401, 40402, 40403)
_BUSY = (408, 425, 429)

_MEND_ADDRESS = "Mend `registry`: Confluent's API stands at the root, Apicurio's at /apis/ccompat/v7."


class SchemaRegistry:
    """One registry. `url` may carry `user:password@`; else the two variables of the environment count."""

    def __init__(self, url: str, environ: Mapping[str, str], *, answer_seconds: float = ANSWER_SECONDS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FeedError(f"{url!r} is no address of a schema registry.", fix="It begins with http:// or https://.")
        place = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not user:
            user, password = environ.get(USER, ""), environ.get(PASSWORD, "")
            if password and not user:
                raise SettingsError(f"{PASSWORD} is set, and {USER} is not.", fix=f"Set {USER} as well.")
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else None
        self._answer_seconds = answer_seconds

    def schema(self, id_: int) -> WireSchema | None:
        """The schema of an id, its references resolved; None where the registry knows none.

        Raises FeedUnavailable where nobody answers, FeedError where the answer is no registry's."""
        if not 0 <= id_ <= LAST_ID:
            return None
        answer = self._get(f"/schemas/ids/{id_}")
        if answer is None:
            return None
        references = self._references(answer, set())
        if references is None:
            return None
        return WireSchema(self._text(answer, "schemaType", AVRO), self._text(answer, "schema"), references)

    def _references(self, answer: Mapping[str, Any], seen: set[tuple[str, str]]) -> tuple[Reference, ...] | None:
        """What a schema refers to, each after what it refers to itself; None where one of them is gone."""
        found: list[Reference] = []
        for entry in answer.get("references") or ():
            subject, version = str(entry.get("subject")), str(entry.get("version"))
            if (subject, version) in seen:
                continue
            seen.add((subject, version))
            # a version may be deleted softly while schemas still refer to it
            referred = self._get(f"/subjects/{quote(subject, safe='')}/versions/{quote(version)}?deleted=true")
            inner = None if referred is None else self._references(referred, seen)
            if referred is None or inner is None:
                return None
            found += [*inner, Reference(str(entry.get("name")), self._text(referred, "schema"))]
        return tuple(found)

    def _get(self, path: str) -> dict[str, Any] | None:
        """The answer to a question; None where the registry says that it has no such thing."""
        request = Request(self.url + path, headers={"Accept": "application/vnd.schemaregistry.v1+json"})
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            status, body = _answer(request, self._answer_seconds)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise FeedError(
                    f"{self.url}: the certificate of the schema registry is not trusted: {reason.verify_message}.",
                    fix="Point SSL_CERT_FILE at the certificates of its authority.",
                ) from error
            raise FeedUnavailable(
                f"{self.url}: the schema registry did not answer within {self._answer_seconds:g} s: {reason}.",
                fix="Framed records wait in bronze and are judged once it answers; start it, or mend `registry`.",
            ) from error
        if status == 200:
            return self._object(path, body)
        if status in (401, 403):
            raise FeedError(
                f"{self.url}: the schema registry answers {status} to GET {path}.",
                fix=f"Set {USER} and {PASSWORD} to an account that may read schemas.",
            )
        if status in _BUSY or status >= 500:
            raise FeedUnavailable(
                f"{self.url}: the schema registry answers {status} to GET {path}.",
                fix="Framed records wait in bronze and are judged once it answers; look into its log.",
            )
        if status == 404 and self._object(path, body).get("error_code") in _NOT_FOUND:
            return None
        raise FeedError(
            f"{self.url}: {status} to GET {path}, and not in the words of a schema registry.", fix=_MEND_ADDRESS
        )

    def _object(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise FeedError(
                f"{self.url}: the answer to GET {path} is no JSON object ({len(body)} bytes).",
                fix=_MEND_ADDRESS,
            )
        return answer

    def _text(self, answer: Mapping[str, Any], key: str, default: str | None = None) -> str:
        text = answer.get(key, default)
        if not isinstance(text, str):
            raise FeedError(
                f"{self.url}: a schema came without {key!r}.", fix="Mend `registry`: it is no schema registry."
            )
        return text


def _answer(request: Request, seconds: float) -> tuple[int, bytes]:
    """Status and body. Raises OSError or HTTPException where there is no whole answer."""
    try:
        with urlopen(request, timeout=seconds) as response:
            return 200, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
