"""What an object store answers when it fails, and what a run says of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, StoreError
from target_delta.faults import fault, is_denied, said_by
from target_delta.options import FileOptions
from tests.small_store import SmallStore, small_store

from .conftest import Load, Messages, activate, command_line, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string")
LAKE = "s3://lake/w"


def test_error_of_many_lines() -> None:
    """An error of delta-rs becomes one line with all its causes, without colours and without a signed query."""
    text = (
        "Generic S3 error\n  \x1b[31m↳\x1b[0m Error performing list request\n   \x1b[31m↳\x1b[0m Error performing GET"
        " https://x/y?sig=abc&se=1 in 4ms - Server returned non-2xx status code\n    \x1b[31m↳\x1b[0m 403 Forbidden\n"
    )

    assert said_by(OSError(text)) == (
        "Generic S3 error: Error performing list request: Error performing GET https://x/y in 4ms - Server returned "
        "non-2xx status code: 403 Forbidden"
    )
    assert said_by(OSError("one line\nand a backtrace")) == "one line"
    assert len(said_by(OSError("x" * 5000))) < 310


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("400 Bad Request ↳ <Error><Code>ExpiredToken</Code>", CredentialsError, "have expired"),
        ("403 ↳ AuthenticationFailed: Signature not valid in the specified time frame", CredentialsError, "expired"),
        ("403 Forbidden ↳ <Code>InvalidAccessKeyId</Code>", CredentialsError, "does not know the credentials"),
        ("403 Forbidden ↳ <Code>SignatureDoesNotMatch</Code>", CredentialsError, "does not know the credentials"),
        ("401 Unauthorized", CredentialsError, "does not know the credentials"),
        ("403 Forbidden ↳ <Code>AccessDenied</Code>", CredentialsError, "does not let these credentials do this"),
        ("The operation lacked the necessary privileges", CredentialsError, "does not let these credentials"),
        ("Error performing token request ↳ 403 Forbidden", CredentialsError, "no credentials for the store"),
        ("404 Not Found ↳ <Code>NoSuchBucket</Code>", StoreError, "the bucket is not there"),
        ("404 Not Found ↳ <Code>ContainerNotFound</Code>", StoreError, "the bucket is not there"),
        ("Received redirect without LOCATION", SettingsError, "in another region"),
        ("builder error ↳ URL scheme is not allowed", SettingsError, "do not make a store"),
        ("Account must be specified", SettingsError, "do not make a store"),
        ("dns error ↳ failed to lookup address information", StoreError, "host is not known"),
        ("error sending request ↳ Connection refused", StoreError, "cannot be reached"),
        ("after 10 retries ↳ 503 Service Unavailable ↳ SlowDown", StoreError, "cannot be reached"),
    ],
)
def test_words_of_a_fault(said: str, kind: type[SingerkitError], words: str) -> None:
    """Each answer of a store has its class, which says who can act, and words of ours."""
    found = fault(OSError(said), stream="s", path=LAKE)

    assert type(found) is kind
    assert words in str(found)


def test_what_is_no_answer_of_a_store() -> None:
    """An error that no store makes is left to others."""
    assert fault(OSError("No space left on device"), stream="s", path=LAKE) is None
    assert not is_denied(OSError("No space left on device"))


def test_options_of_a_file(tmp_path: Path) -> None:
    """Options follow their file; half of one changes nothing, and no value stands in their text."""
    file = tmp_path / "options.json"
    file.write_text('{"a": "first secret"}')
    options = FileOptions({"a": "first secret"}, str(file))

    assert dict(options) == {"a": "first secret"}
    file.write_text('{"a": "second secret", "b": tr')
    assert dict(options) == {"a": "first secret"}
    file.write_text('{"a": "second secret", "b": true, "c": 5, "d": null}')
    assert (dict(options), len(options)) == ({"a": "second secret", "b": "true", "c": "5"}, 3)
    file.unlink()
    assert options["a"] == "second secret"
    assert "secret" not in repr(options)


@pytest.fixture(scope="module")
def running() -> Iterator[SmallStore]:
    """A store in a process of its own."""
    with small_store() as store:
        yield store


@pytest.fixture
def store(running: SmallStore) -> SmallStore:
    """A store that works, until a test says otherwise."""
    running.fail()
    return running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (403, "InvalidAccessKeyId", CredentialsError, "does not know the credentials"),
        (403, "SignatureDoesNotMatch", CredentialsError, "does not know the credentials"),
        (403, "AccessDenied", CredentialsError, "does not let these credentials do this"),
        (400, "ExpiredToken", CredentialsError, "have expired"),
        (404, "NoSuchBucket", StoreError, "the bucket is not there"),
        (301, "PermanentRedirect", SettingsError, "in another region"),
        (503, "SlowDown", StoreError, "cannot be reached"),
    ],
)
def test_answers_of_a_store(  # a situation and what is said of it
    load: Load, store: SmallStore, status: int, code: str, kind: type[SingerkitError], words: str
) -> None:
    """A store that refuses from the first question on ends the run in one line, whether one or many write to it."""
    for alone in (True, False):
        store.fail({"when": ".", "status": status, "code": code})
        with pytest.raises(kind, match=words) as caught:
            load([PEOPLE, record("people", id=1)], path=LAKE, storage_options=store.s3, single_writer=alone)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "options", "kind", "words"),
    [
        (LAKE, {"aws_endpoint_url": "http://127.0.0.1:9"}, StoreError, "cannot be reached"),
        (LAKE, {"aws_endpoint_url": "http://no-such-host.invalid"}, StoreError, "host is not known"),
        (LAKE, {"allow_http": "false"}, SettingsError, "allow_http"),
        ("nonsense://lake/w", {}, SettingsError, "do not make a store"),
        ("az://lake/w", {}, SettingsError, "do not make a store"),
    ],
    ids=["refused", "no host", "plain http", "scheme", "no account"],
)
def test_addresses_that_lead_nowhere(
    load: Load, store: SmallStore, path: str, options: dict[str, str], kind: type[SingerkitError], words: str
) -> None:
    """An address or an option that is wrong is said within seconds, by a run and by a verb."""
    with pytest.raises(kind, match=words):
        load([PEOPLE, record("people", id=1)], path=path, storage_options=store.s3 | options)


@pytest.mark.slow
def test_store_that_never_answers(load: Load, store: SmallStore) -> None:
    """A store that takes the question and says nothing ends the run when the patience of the options is spent."""
    store.fail({"when": ".", "sleep_s": 30})

    with pytest.raises(StoreError, match="cannot be reached"):
        load([PEOPLE], path=LAKE, storage_options=store.s3 | {"timeout": "200ms", "retry_timeout": "1s"})


@pytest.mark.slow
@pytest.mark.parametrize("verb", [["history"], ["verify"], ["peek", "people"], ["maintain"], ["state", "export"]])
def test_store_that_refuses_a_verb(
    load: Load, store: SmallStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, verb: list[str]
) -> None:
    """A verb whose store refuses it, at its first question or later, ends with one line and the code of a run."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": LAKE, "storage_options": store.s3}))
    load([PEOPLE, record("people", id=1)], path=LAKE, storage_options=store.s3)

    for requests in (0, 6):
        caplog.clear()
        store.fail({"when": ".", "skip": requests, "status": 403, "code": "AccessDenied"})
        assert command_line("--config", str(config), *verb) == 5
        [line] = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
        assert "does not let these credentials do this" in line


@dataclass
class Expiring:
    """Runs whose keys the store takes for so many requests; the file of the options has newer ones from then on."""

    load: Load
    store: SmallStore
    file: Path

    def run(self, messages: Messages, requests: int) -> list[str]:
        """Run once, and return what was asked for."""
        new = json.dumps(self.store.s3 | {"aws_access_key_id": "new"})
        self.file.write_text(json.dumps(self.store.s3))
        rule = {"when": ".", "skip": requests, "status": 400, "code": "ExpiredToken", "but_for": "new"}
        self.store.requests()
        self.store.fail(rule | {"renews": [str(self.file), new]})
        try:
            states = self.go_on(messages)
        finally:
            self.store.fail()
        assert states == [{"bookmarks": {"s": 5}}]
        return self.store.requests()

    def go_on(self, messages: Messages) -> list[dict[str, Any]]:
        """Run with what the file has."""
        return self.load(messages, path=LAKE, storage_options_file=str(self.file), batch_size_rows=20, compact_files=0)


@pytest.fixture
def expiring(load: Load, store: SmallStore, tmp_path: Path) -> Expiring:
    """A run whose keys expire."""
    return Expiring(load, store, tmp_path / "options.json")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["upsert", "append", "full"])
def test_credentials_that_expire_in_a_run(expiring: Expiring, store: SmallStore, kind: str) -> None:
    """Wherever the store begins to refuse the keys, the run goes on with those that the file has by then.

    Only a file of an append or a full load that is half uploaded is lost: then the run ends, and the next one goes on.
    """

    def sent(stream: str) -> Messages:
        rows = [record(stream, id=number, name="x" * 50) for number in range(60)]
        swap = [activate(stream, 7)] if kind == "full" else []
        keys = ["id"] if kind == "upsert" else []
        return [schema(stream, keys, id="integer", name="string"), *swap, *rows, *swap, state(s=5)]

    expiring.run(sent(f"{kind}-proven"), 10**6)
    every = expiring.run(sent(f"{kind}-whole"), 10**6)
    ended = 0

    for requests in range(0, len(every), 5):
        stream = f"{kind}-{requests}"
        try:
            expiring.run(sent(stream), requests)
        except CredentialsError:
            expiring.go_on(sent(stream))
            ended += 1

        table = DeltaTable(f"{LAKE}/{stream}", storage_options=store.s3).to_pyarrow_table()
        assert sorted(table["id"].to_pylist()) == [*range(60)], every[requests]
    assert ended <= (0 if kind == "upsert" else 3)


ENTRY = r"^PUT \S+/_delta_log/\d+\.json"


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["id"], []], ids=["upsert", "append"])
def test_answer_of_a_commit_that_is_lost(load: Load, store: SmallStore, keys: list[str]) -> None:
    """A commit whose answer never comes is found in the log, and made once."""
    stream = f"lost-{len(keys)}"
    where: dict[str, Any] = {"path": LAKE, "storage_options": store.s3, "compact_files": 0}
    shape = schema(stream, keys, id="integer", name="string")
    load([shape, record(stream, id=1, name="x"), state(s=1)], **where)
    store.fail({"when": ENTRY, "times": 1, "lost": True})

    states = load([shape, record(stream, id=2, name="y"), state(s=2)], **where)

    store.fail()
    table = DeltaTable(f"{LAKE}/{stream}", storage_options=store.s3).to_pyarrow_table()
    assert (sorted(table["id"].to_pylist()), states) == ([1, 2], [{"bookmarks": {"s": 2}}])


@pytest.mark.slow
def test_store_that_deletes_nothing(load: Load, store: SmallStore) -> None:
    """A lost race leaves files that no log names; a store that does not let them be deleted ends no run."""
    where: dict[str, Any] = {"path": LAKE, "storage_options": store.s3 | {"max_retries": "0"}, "compact_files": 0}
    shape = schema("kept", ["id"], id="integer", name="string")
    load([shape, record("kept", id=1, name="x")], **where)
    refused = {"when": r"\?delete", "status": 501, "code": "NotImplemented"}
    store.fail({"when": ENTRY, "times": 1, "status": 412, "code": "PreconditionFailed"}, refused)
    store.requests()

    load([shape, record("kept", id=1, name="y"), record("kept", id=2, name="y")], **where)

    store.fail()
    assert any("?delete" in request for request in store.requests())
    table = DeltaTable(f"{LAKE}/kept", storage_options=store.s3).to_pyarrow_table()
    assert sorted(map(tuple, zip(*table.to_pydict().values(), strict=True))) == [(1, "y"), (2, "y")]


@pytest.mark.slow
def test_large_upload_that_is_cut(load: Load, store: SmallStore) -> None:
    """An upload that breaks off is taken up again; one that never gets through leaves table and STATE as they were."""
    where: dict[str, Any] = {"path": LAKE, "storage_options": store.s3 | {"max_retries": "2"}, "compact_files": 0}
    shape = schema("large", (), text="string")
    rows = [record("large", text=os.urandom(50_000).hex()) for _ in range(120)]
    second = r"partNumber=2"

    store.fail({"when": second, "times": 1, "cut": True})
    assert load([shape, *rows, state(s=1)], **where) == [{"bookmarks": {"s": 1}}]
    store.fail({"when": second, "cut": True})
    with pytest.raises(StoreError, match="cannot be reached"):
        load([shape, *rows, state(s=2)], **where)
    store.fail()

    table = DeltaTable(f"{LAKE}/large", storage_options=store.s3)
    assert table.to_pyarrow_table().num_rows == 120
    load([shape, *rows, state(s=2)], **where)
    table.update_incremental()
    assert table.to_pyarrow_table().num_rows == 240


@pytest.mark.slow
def test_profile_whose_logins_are_short(
    load: Load, store: SmallStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """delta-rs asks a profile's process for credentials, and again when those it was given have expired."""
    calls, process, profile = tmp_path / "calls", tmp_path / "process", tmp_path / "profile"
    given = '{"Version": 1, "AccessKeyId": "short", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}'
    process.write_text(f"#!/bin/sh\necho call >> {calls}\necho '{given}'\n")
    process.chmod(0o700)
    profile.write_text(f"[profile loader]\ncredential_process = {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "loader")
    options = {"aws_endpoint_url": store.url, "allow_http": "true", "aws_region": "us-east-1"}
    forced = options | {"AWS_FORCE_CREDENTIAL_LOAD": "true"}  # delta-rs asks no profile for an endpoint of one's own
    store.fail({"when": ".", "status": 403, "code": "InvalidAccessKeyId", "but_for": "short"})
    shape = schema("profile", ["id"], id="integer")

    states = load([shape, record("profile", id=1), state(s=1)], path=LAKE, storage_options=forced)

    assert states == [{"bookmarks": {"s": 1}}]
    assert len(calls.read_text().splitlines()) > 5
