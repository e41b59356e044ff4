"""S3 settings out of the environment that an entry point read."""

from __future__ import annotations

from collections.abc import Mapping

from aura_lake.outside.s3 import S3Settings


def s3_settings(environ: Mapping[str, str]) -> S3Settings:
    """What `AURA_S3_ENDPOINT_URL`, `AURA_S3_REGION`, `AURA_S3_ROLE_ARN` and `AURA_S3_EXTERNAL_ID` say; credentials
    come from boto3's own chain."""
    return S3Settings(
        endpoint_url=environ.get("AURA_S3_ENDPOINT_URL") or environ.get("AWS_ENDPOINT_URL_S3"),
        region=environ.get("AURA_S3_REGION") or environ.get("AWS_REGION"),
        role_arn=environ.get("AURA_S3_ROLE_ARN"),
        external_id=environ.get("AURA_S3_EXTERNAL_ID"),
    )
