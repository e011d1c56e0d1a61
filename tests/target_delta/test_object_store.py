"""The same promises in an object store: a server that speaks S3, in a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError
from target_delta.store import Store
from tests.object_store import s3
from tests.small_store import small_store

from .conftest import Load, activate, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PEOPLE = schema("people", ["id"], id="integer", name="string")
TABLE = "s3://lake/w/people"


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    """Storage options that reach a bucket named lake."""
    with s3("lake") as reached:
        yield reached


def found(options: dict[str, str]) -> list[tuple[int, str]]:
    table = DeltaTable(TABLE, storage_options=options).to_pyarrow_table()
    return sorted((row["id"], row["name"]) for row in table.to_pylist())


def test_upsert_and_full_load(load: Load, options: dict[str, str]) -> None:
    """Rows are upserted, staged, resumed and swapped in as on a disk."""
    where: dict[str, Any] = {"path": "s3://lake/w", "storage_options": options}
    progress = {"full_load": {"version": 5, "below": 8}}

    states = load(
        [PEOPLE, record("people", id=1, name="a"), record("people", id=2, name="a"), state(people=1)], **where
    )
    load([PEOPLE, record("people", id=2, name="b"), record("people", id=3, name="b")], **where)
    assert found(options) == [(1, "a"), (2, "b"), (3, "b")]
    assert states == [{"bookmarks": {"people": 1}}]

    with pytest.raises(SafetyStopError, match="before the second"):
        load([PEOPLE, activate("people", 5), record("people", id=7, name="c"), state(people=progress)], **where)
    assert Store(TABLE, options).names("_staged") == ["_staged/5/00000001.json"]
    rest = [activate("people", 5), record("people", id=8, name="c"), activate("people", 5), state(people={})]
    load([state(people=progress), PEOPLE, *rest], **where)

    assert found(options) == [(7, "c"), (8, "c")]
    assert Store(TABLE, options).names("_staged") == []


def test_store_is_proven_once(load: Load, options: dict[str, str]) -> None:
    """Before the first write a run sees that the store overwrites no log entry; a file says so to later runs."""
    where: dict[str, Any] = {"path": "s3://lake/new", "storage_options": options}

    load([PEOPLE, record("people", id=1, name="a")], **where)
    load([PEOPLE, record("people", id=2, name="b")], **where)

    assert Store("s3://lake/new", options).names("_target-delta") == ["_target-delta/refuses-overwrites"]


def test_store_that_overwrites(load: Load) -> None:
    """A store that lets a log entry be overwritten is refused before anything is there, but for a single writer."""
    with small_store(careless=True) as store:
        where: dict[str, Any] = {"path": "s3://lake/w", "storage_options": store.s3}

        with pytest.raises(SafetyStopError, match="lets a writer overwrite what another has just committed"):
            load([PEOPLE, record("people", id=1, name="a")], **where)
        assert Store("s3://lake/w", store.s3).names("") == []

        load([PEOPLE, record("people", id=1, name="a")], single_writer=True, **where)
        load([PEOPLE, record("people", id=1, name="b")], single_writer=True, **where)
        assert found(store.s3) == [(1, "b")]


def test_secret_is_not_in_the_log(load: Load, options: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """What fails in the store is said without its keys."""
    wrong = options | {
        "aws_endpoint_url": "http://127.0.0.1:9",
        "aws_secret_access_key": "very secret",
        "max_retries": "0",
    }

    with pytest.raises(Exception, match=r"store|table") as caught:
        load([PEOPLE, record("people", id=1)], path="s3://lake/w", storage_options=wrong)

    assert "very secret" not in str(caught.value) + caplog.text + json.dumps(str(caught.value.__cause__))


@pytest.mark.parametrize("keys", [["id"], []], ids=["upsert", "append"])
def test_requests_of_a_run(load: Load, keys: list[str]) -> None:
    """What a run asks of a store does not grow with the commits before it: a checkpoint is there every ten of them."""
    shape = schema("people", keys, id="integer")
    with small_store() as store:
        where: dict[str, Any] = {"path": "s3://lake/w", "storage_options": store.s3, "compact_files": 0}
        load([shape, record("people", id=1), state(people=1)], **where)
        table = DeltaTable(TABLE, storage_options=store.s3)
        for _ in range(38):
            table.create_write_transaction([], mode="append", schema=table.schema(), partition_by=[])
            table.update_incremental()
        store.requests()

        load([shape, record("people", id=2), state(people=2)], **where)

        asked = store.requests()
    assert len(asked) <= 130
    assert sum(request.endswith("/_delta_log/") for request in asked) <= 2
