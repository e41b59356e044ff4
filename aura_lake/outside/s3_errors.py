"""What S3's refusals and silences mean, as errors of ours with the fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aura_lake.errors import AuraError, FeedError, StoreUnavailable
from aura_lake.outside.objects import ObjectChanged

ATTEMPTS = 8  #: of each request, with growing pauses
_BUSY = {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "ThrottlingException", "Throttling"}
_GONE = {"NoSuchKey", "404", "PreconditionFailed", "412", "InvalidRange", "416", "NoSuchVersion"}


def refusal(response: Mapping[str, Any], place: str, bucket: str, key: str) -> AuraError:
    """Our error for an answer that is an error; `key`: of the object asked for, or empty."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BUSY or status >= 500 or status == 429:
        return StoreUnavailable(
            f"{place} is busy ({code or status}) after {ATTEMPTS} attempts.", fix="Run again later."
        )
    if key and code in _GONE:
        return ObjectChanged(key, f"it was replaced or removed since it was listed ({code})")
    if code == "NoSuchBucket":
        return FeedError(
            f"{place}: the bucket {bucket} does not exist.",
            fix="Create it, or correct `location` and `endpoint_url` in the contract's server entry.",
        )
    if code in ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return FeedError(
            f"{place}: the bucket is in another region ({code}).", fix="Set AWS_REGION to the bucket's region."
        )
    if status in (401, 403) or code in ("AccessDenied", "ExpiredToken"):
        return FeedError(
            f"{place}: access denied ({code or status}).",
            fix="Allow s3:ListBucket on the bucket and s3:GetObject on the prefix, and check the credentials.",
        )
    return FeedError(
        f"{place}: the server refused the request ({code or status}).",
        fix="Correct `location` in the contract's server entry.",
    )


@contextmanager
def answered(place: str, bucket: str) -> Iterator[None]:
    """Turns what boto3 raises where there was no answer at all into our error; refusals pass."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except BotoCoreError as error:
        raise no_answer(error, place, bucket) from error


def no_answer(error: Exception, place: str, bucket: str) -> AuraError:
    """Our error where there was no answer at all."""
    from botocore.exceptions import (
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )

    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return FeedError(
            f"{place}: no AWS credentials were found.",
            fix="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached.",
        )
    if isinstance(error, ParamValidationError):
        return FeedError(
            f"{place}: {bucket!r} is no bucket name.", fix="Correct `location` in the contract's server entry."
        )
    return StoreUnavailable(
        f"{place} does not answer ({type(error).__name__}) after {ATTEMPTS} attempts.",
        fix="Check the network and endpoint_url, then run again.",
    )
