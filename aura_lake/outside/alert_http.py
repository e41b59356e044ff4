"""One JSON document, posted to where people are told. No message holds an address or a header: both may be secrets."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from aura_lake.errors import AlertRefused, AlertUnavailable

#: Seconds to wait for an answer; a run waits for no one longer.
ANSWER_SECONDS = 5.0

#: Answers after which the same document may be taken later. (PagerDuty, "API response codes & retry logic"; Slack,
#: "Rate limits".)
_BUSY = (408, 425, 429)

#: Of an answer that refuses, this much is read.
_READ = 65_536


class _NoRedirect(HTTPRedirectHandler):
    """A document with a key in it goes where it was sent, and nowhere else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        return None


def post_json(who: str, url: str, document: Mapping[str, Any], *, seconds: float = ANSWER_SECONDS) -> None:
    """Post a document. `who` is what errors call the receiver.

    Raises AlertUnavailable where it does not answer or is busy, AlertRefused where it will not take this document."""
    body = json.dumps(document, ensure_ascii=False).encode()
    request = Request(url, body, {"Content-Type": "application/json; charset=utf-8"}, method="POST")
    opener = build_opener(_NoRedirect, HTTPSHandler(context=ssl.create_default_context()))
    try:
        with opener.open(request, timeout=seconds) as answer:
            answer.read(_READ)
    except HTTPError as error:
        with error:
            said = _reason(error.read(_READ))
        if error.code in _BUSY or error.code >= 500:
            raise AlertUnavailable(f"{who} is busy ({error.code}).", fix="It is told later, by itself.") from None
        raise AlertRefused(
            f"{who} refuses what it is sent ({error.code}{said}).", fix=f"Mend the AURA_ALERT_ settings of {who}."
        ) from None
    except (OSError, HTTPException) as error:
        kind = type(getattr(error, "reason", None) or error).__name__
        raise AlertUnavailable(f"{who} does not answer ({kind}).", fix="It is told later, by itself.") from None


def _reason(answer: bytes) -> str:
    """What the receiver says of itself, where that is a short word of its own such as `invalid_blocks`: a longer
    text may repeat what it was sent."""
    text = answer.decode(errors="replace").strip()
    return f" {text}" if len(text) <= 40 and text.replace("_", "").isalpha() else ""
