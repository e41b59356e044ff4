"""Who we are to S3: boto3's own credential chain, with or without an assumed role.

The same credentials reach two readers: boto3 (objects of feeds) and deltalake (a lake on
S3), which reads neither profiles nor roles by itself and is handed them as options.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from aura_lake.errors import FeedError, SettingsError

_SESSION_NAME = "aura-lake"
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class S3Settings:
    """How to reach S3, beyond what boto3 finds by itself."""

    endpoint_url: str | None = None  #: another server than AWS; a feed's own endpoint comes first
    region: str | None = None
    role_arn: str | None = None  #: assumed with whatever credentials the chain finds
    external_id: str | None = None  #: asked for by some roles


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """`s3://bucket/a/b/` as ("bucket", "a/b"). Raises FeedError if it names no bucket."""
    parts = urlsplit(location, allow_fragments=False)
    path = parts.path + (f"?{parts.query}" if parts.query else "")  # `?` may stand in a glob
    if parts.scheme not in ("s3", "s3a") or not parts.netloc:
        raise FeedError(
            f"{location!r} names no bucket.", fix="Write it as s3://bucket/prefix in the contract's server entry."
        )
    return parts.netloc, path.strip("/")


def session_for(settings: S3Settings) -> Any:
    """A boto3 session. With a role, its credentials refresh themselves before they expire."""
    if settings.role_arn:
        return _assumed(settings)
    import boto3

    return boto3.Session(region_name=settings.region)


def s3_storage_options(settings: S3Settings, location: str) -> dict[str, str]:
    """deltalake's storage options for a table at `location`.

    Temporary credentials are those of this moment: ask again for each table that is
    opened. Conditional puts (`etag`) make two writers safe without a lock table.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket_and_prefix(location)
    try:
        session = session_for(settings)
        found = session.get_credentials()
        credentials = found.get_frozen_credentials() if found is not None else None
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(
            f"No AWS credentials for {location} ({type(error).__name__}).", fix=_credentials_fix(settings)
        ) from error
    if credentials is None or not credentials.access_key:
        raise SettingsError(f"No AWS credentials for {location}.", fix=_credentials_fix(settings))
    options = {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_REGION": region_of(session, settings),
        "aws_conditional_put": "etag",
    }
    if credentials.token:
        options["AWS_SESSION_TOKEN"] = credentials.token
    if settings.endpoint_url:
        options["AWS_ENDPOINT_URL"] = settings.endpoint_url
        if settings.endpoint_url.startswith("http://"):
            options["AWS_ALLOW_HTTP"] = "true"
    return options


def region_of(session: Any, settings: S3Settings) -> str:
    """The region: ours, else the chain's, else the one that custom servers take."""
    return str(settings.region or session.region_name or _DEFAULT_REGION)


def _credentials_fix(settings: S3Settings) -> str:
    role = f" and may assume {settings.role_arn}" if settings.role_arn else ""
    return f"Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached{role}."


@lru_cache(maxsize=8)
def _assumed(settings: S3Settings) -> Any:
    """One session a role and process, so that its temporary credentials are asked for once an hour."""
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    source = boto3.Session(region_name=settings.region)
    region = region_of(source, settings)
    credentials = source.get_credentials()
    if credentials is None:
        raise SettingsError(f"No AWS credentials to assume {settings.role_arn} with.", fix=_credentials_fix(settings))
    extra = {"RoleSessionName": _SESSION_NAME}
    if settings.external_id:
        extra["ExternalId"] = settings.external_id

    def create_client(service: str, **keys: str) -> Any:
        return source.client(service, region_name=region, **keys)

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=create_client,
        source_credentials=credentials,
        role_arn=settings.role_arn,
        extra_args=extra,
    )
    session = botocore.session.get_session()
    session._credentials = DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
    session.set_config_variable("region", region)
    return boto3.Session(botocore_session=session)
