"""A bucket, or a prefix in it, as an object store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, BinaryIO, cast

from aura_lake.errors import FeedError
from aura_lake.outside.objects import Level, Listing, ListingScope, ObjectChanged, ObjectInfo, classify
from aura_lake.outside.pattern import matches, split_location
from aura_lake.outside.s3_errors import ATTEMPTS, no_answer, refusal
from aura_lake.outside.s3_session import (
    S3Settings,
    bucket_and_prefix,
    region_of,
    s3_storage_options,
    session_for,
)
from aura_lake.outside.s3_stream import ResumingStream

__all__ = ["S3Settings", "S3Store", "s3_storage_options"]

PAGE_KEYS = 1000  # S3's own limit


@dataclass(frozen=True)
class S3Store:
    """The objects under `s3://bucket/prefix`; also one object, or a glob."""

    location: str
    endpoint_url: str | None = None  #: the feed's own; comes before the settings'
    settings: S3Settings = field(default_factory=S3Settings)
    feed: str = ""  #: the feed's name, for messages
    layout: str | None = None  #: strftime pattern of the time prefixes below the location
    include: tuple[str, ...] = ()  #: globs that a name must all match
    recent_days: int = 3  #: how far back a RECENT listing looks

    def list(self, scope: ListingScope = ListingScope.EVERYTHING) -> Listing:
        """What lies there now, page by page; RECENT asks only for the newest time prefixes."""
        listing = Listing([])
        prefix = f"{self._root}/" if self._root else ""
        for narrower in self._prefixes(scope):
            for found in self._pages(prefix + narrower):
                self._sort_in(found, found["Key"][len(prefix) :], listing)
        if scope is ListingScope.EVERYTHING and not self._glob and prefix:
            self._add_single_object(listing)
        listing.objects.sort(key=lambda info: info.name)
        return listing

    def level(self, most: int) -> Level:
        """What lies directly under the prefix, in pages of a thousand names."""
        prefix = f"{self._root}/" if self._root else ""
        folders: list[str] = []
        listing = Listing([])
        is_more = False
        for page in self._answers(prefix, Delimiter="/"):
            folders += [each["Prefix"][len(prefix) : -1] for each in page.get("CommonPrefixes", [])]
            for found in page.get("Contents", []):
                self._sort_in(found, found["Key"][len(prefix) :], listing)
            if len(folders) + len(listing.objects) >= most:
                is_more = bool(page.get("IsTruncated"))
                break
        return Level(sorted(filter(None, folders)), listing.objects, is_more)

    def some(self, most: int) -> tuple[Sequence[ObjectInfo], bool]:
        """The first objects below the prefix, by name."""
        listing = Listing([])
        prefix = f"{self._root}/" if self._root else ""
        for found in self._pages(prefix):
            self._sort_in(found, found["Key"][len(prefix) :], listing)
            if len(listing.objects) > most:
                break
        return listing.objects[:most], len(listing.objects) > most

    def list_names(self, keys: Iterable[str]) -> Listing:
        """What lies now under exactly these keys of the bucket, below the location: one request a key.

        Keys that are not there are in none of the three parts. Versions and times are a listing's.
        """
        listing = Listing([])
        for key in sorted(set(keys)):
            name = self.name_of(self._bucket, key)
            page = self._call("list_objects_v2", Bucket=self._bucket, Prefix=key, MaxKeys=1)
            for found in page.get("Contents", []):  # the first of a prefix is the key itself, where it is there
                if found["Key"] == key and name is not None:
                    self._sort_in(found, name, listing)
        return listing

    def name_of(self, bucket: str, key: str) -> str | None:
        """The name that a listing gives the object, or None where it does not lie below the location."""
        prefix = f"{self._root}/" if self._root else ""
        is_below = bucket == self._bucket and key.startswith(prefix) and key != prefix
        return key[len(prefix) :] if is_below else None

    def open(self, info: ObjectInfo) -> BinaryIO:
        """The stored bytes of that version; a broken connection is taken up where it broke."""
        key = self._key_of(info)

        def open_at(position: int) -> Any:
            request: dict[str, str] = {"Bucket": self._bucket, "Key": key, "IfMatch": f'"{info.etag}"'}
            if position:
                request["Range"] = f"bytes={position}-"
            return self._call("get_object", **request)["Body"]

        return cast(BinaryIO, ResumingStream(open_at, info, self.location))

    @property
    def _place(self) -> str:
        return f"Feed {self.feed}: {self.location}"

    @property
    def _bucket(self) -> str:
        return bucket_and_prefix(self.location)[0]

    @property
    def _root(self) -> str:
        return split_location(bucket_and_prefix(self.location)[1])[0]

    @property
    def _glob(self) -> str | None:
        return split_location(bucket_and_prefix(self.location)[1])[1]

    @property
    def _globs(self) -> tuple[str, ...]:
        return (self._glob, *self.include) if self._glob else self.include

    def _prefixes(self, scope: ListingScope) -> Sequence[str]:
        """Prefixes below the root to list; the empty one is everything."""
        if scope is ListingScope.EVERYTHING or self.layout is None:
            return [""]
        return recent_prefixes(self.layout, datetime.now(UTC), self.recent_days)

    def _pages(self, prefix: str) -> Iterator[dict[str, Any]]:
        """The objects under a prefix. botocore asks for URL-encoded keys and decodes them once."""
        for page in self._answers(prefix):
            yield from page.get("Contents", [])

    def _answers(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            request = {"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": PAGE_KEYS, **more, **token}
            page = self._call("list_objects_v2", **request)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _sort_in(self, found: dict[str, Any], name: str, listing: Listing) -> None:
        """Put one key into the one part of the listing where it belongs."""
        if not name:
            return  # the marker of the root itself
        verdict = classify(name, found["Size"])
        if verdict is None and not all(matches(glob, name) for glob in self._globs):
            verdict = "skipped", f"does not match {' and '.join(self._globs)}"
        if verdict is None:
            listing.objects.append(_info(name, found, found["Size"]))
        elif verdict[0] == "waiting":
            listing.waiting[name] = verdict[1]
        else:
            listing.skipped[name] = verdict[1]

    def _key_of(self, info: ObjectInfo) -> str:
        last = self._root.rsplit("/", 1)[-1]
        if last == info.name and self._glob is None and self._single is not None:
            return self._root
        return f"{self._root}/{info.name}" if self._root else info.name

    @cached_property
    def _single(self) -> dict[str, Any] | None:
        """The object that the location itself names, if it names one and not a prefix."""
        try:
            return dict(self._call("head_object", Bucket=self._bucket, Key=self._root))
        except ObjectChanged:
            return None

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        endpoint = self.endpoint_url or self.settings.endpoint_url
        config = Config(
            retries={"mode": "adaptive", "max_attempts": ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
            # Servers other than AWS answer without the checksums that newer SDKs ask for.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint else {},
        )
        try:
            session = session_for(self.settings)
            return session.client(
                "s3", endpoint_url=endpoint, region_name=region_of(session, self.settings), config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise FeedError(
                f"{self._place}: no S3 client can be made ({error}).",
                fix="Check endpoint_url, the region and AWS_PROFILE.",
            ) from error

    def _call(self, operation: str, **request: Any) -> Any:
        """One request; what goes wrong comes out as an error of ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(**request)
        except ClientError as error:
            raise refusal(error.response, self._place, self._bucket, str(request.get("Key", ""))) from error
        except BotoCoreError as error:
            raise no_answer(error, self._place, self._bucket) from error

    def _add_single_object(self, listing: Listing) -> None:
        """Where nothing lies below the location, it may itself be an object."""
        if listing.objects or listing.waiting or listing.skipped or self._single is None:
            return
        name = self._root.rsplit("/", 1)[-1]
        listing.objects.append(_info(name, self._single, self._single["ContentLength"]))


def recent_prefixes(layout: str, now: datetime, days: int) -> list[str]:
    """The prefixes that a layout gives the last `days` days, and tomorrow (clocks and zones differ).

    The layout is cut behind its day (`%Y/%m/%d/%H` asks for whole days); one that does not
    reach the day gives its months or years.
    """
    cut = max(layout.find("%d"), layout.find("%j"))
    layout = layout[: cut + 2] + layout[cut + 2 : cut + 3].replace("%", "") if cut >= 0 else layout
    moments = [now + timedelta(days=offset) for offset in range(-days, 2)]
    return sorted({moment.strftime(layout) for moment in moments})


def _info(name: str, found: dict[str, Any], size: int) -> ObjectInfo:
    return ObjectInfo(name, found["ETag"].strip('"'), size, found["LastModified"].astimezone(UTC))
