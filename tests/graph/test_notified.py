"""A bucket that notifies a queue: the sensor sees what it names, the run lands it and deletes the messages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from dagster import DagsterInstance, Definitions, RunRequest, SkipReason, build_sensor_context
from moto import mock_aws

from aura_lake.orchestration.run import load_definitions, run_once
from aura_lake.orchestration.workbench import Workbench
from aura_lake.settings import Settings
from aura_lake.steps.land import object_rows
from tests.graph.tiny import CONTRACTS, TinyShop, settings_for
from tests.unit.outside.test_s3_events import body, record

SERVER = """\
servers:
  - server: tiny_users
    type: s3
    location: s3://shop/users
    format: jsonl
    customProperties:
      - {{property: layout, value: "%Y/%m/%d"}}
      - {{property: notifications, value: "{url}"}}
"""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="shop")
        yield boto3.client("sqs", region_name="us-east-1")


def shop_with_queue(folder: Path, url: str) -> Settings:
    """The tiny shop, whose users come from the bucket."""
    tiny = TinyShop(folder)
    contracts = Path(shutil.copytree(CONTRACTS, folder / "shop"))
    users = contracts / "users.odcs.yaml"
    text = users.read_text()
    head, rest = text.split("servers:\n", 1)
    users.write_text(head + SERVER.format(url=url) + rest[rest.index("schema:") :])
    return settings_for(contracts, folder / "lake", {"TINY_DATA": str(tiny.data)})


def look(defs: Definitions, instance: DagsterInstance) -> RunRequest | SkipReason:
    sensor = next(sensor for sensor in defs.sensors or [] if sensor.name == "new_objects")
    answer = sensor(build_sensor_context(instance=instance, repository_def=defs.get_repository_def()))
    assert isinstance(answer, RunRequest | SkipReason)
    return answer


def test_a_late_object_in_an_old_prefix_is_landed_because_the_queue_names_it(cloud: Any, tmp_path: Path) -> None:
    url = cloud.create_queue(QueueName="landing")["QueueUrl"]
    settings = shop_with_queue(tmp_path, url)
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.put_object(Bucket="shop", Key="users/2020/01/02/late one.jsonl", Body=b'{"user_id": "u1"}\n')
    defs = load_definitions(settings)
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(look(defs, instance), SkipReason), "the recent prefixes do not show it"
        cloud.send_message(QueueUrl=url, MessageBody=body(record("users/2020/01/02/late+one.jsonl")))
        request = look(defs, instance)
    assert isinstance(request, RunRequest)
    assert "bronze/tiny_users" in {key.to_user_string() for key in request.asset_selection or []}
    assert run_once(settings, 'key:"bronze/tiny_users"').success
    objects = object_rows(Workbench.open(settings).lake.bronze("tiny_users"))
    assert objects["object"].to_list() == ["2020/01/02/late one.jsonl"]
    left = cloud.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    assert set(left.values()) == {"0"}
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(look(defs, instance), SkipReason)


def test_a_queue_that_is_gone_stops_no_listing(cloud: Any, tmp_path: Path) -> None:
    settings = shop_with_queue(tmp_path, "https://sqs.us-east-1.amazonaws.com/123456789012/gone")
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.put_object(Bucket="shop", Key="users/2020/01/02/a.jsonl", Body=b'{"user_id": "u1"}\n')
    outcome = run_once(settings, 'key:"bronze/tiny_users"')
    assert outcome.success
    assert any("does not exist" in step.says for step in outcome.steps)
    assert object_rows(Workbench.open(settings).lake.bronze("tiny_users")).height == 1
