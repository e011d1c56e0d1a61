"""Rows of the quarantine, loaded again by a schema that takes them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Load, Rows, Verb, as_lines, read_table, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASIDE = {"on_invalid_record": "quarantine"}
OLD = schema("t", ["id"], id="integer", x="integer")


@pytest.fixture
def catalog(tmp_path: Path) -> Callable[..., str]:
    """Write what a tap discovers, and return the file."""

    def write(message: dict[str, Any]) -> str:
        whole = {"breadcrumb": [], "metadata": {"table-key-properties": message["key_properties"]}}
        entry = {"tap_stream_id": message["stream"], "schema": message["schema"], "metadata": [whole]}
        (tmp_path / "catalog.json").write_text(json.dumps({"streams": [entry]}))
        return str(tmp_path / "catalog.json")

    return write


def test_rows_that_still_do_not_fit(load: Load, rows: Rows, verb: Verb, catalog: Callable[..., str]) -> None:
    """What does not fit stays in the quarantine, with the reason of now, and the table is as it was."""
    load([OLD, record("t", id=1, x=None), record("t", id=2, x="two"), record("t", id=3, x="three"),
          record("t", id="four", x=4), state(t=1)], **ASIDE)  # fmt: skip
    load([OLD, record("t", id=3, x=None), state(t=2)])
    texts = schema("t", ["id"], id="integer", x={"type": ["integer", "null"]})
    before = rows("t")

    done = verb("replay", "t", "--catalog", catalog(texts))

    assert done == [{"stream": "t", "quarantined": 3, "loaded": 0, "older": 0, "invalid": 3, "replayed": True}]
    assert len(verb("peek", "t__quarantine")) == 3
    assert rows("t") == before


def test_type_that_the_table_does_not_take(load: Load, rows: Rows, verb: Verb, catalog: Callable[..., str]) -> None:
    """The contract of the table holds here too: nothing is loaded, nothing leaves the quarantine (exit 4)."""
    load([OLD, record("t", id=1, x=1), record("t", id=2, x=2.5)], **ASIDE)

    assert verb("replay", "t", "--catalog", catalog(schema("t", ["id"], id="integer", x="number")), code=4) == []

    assert rows("t") == [{"id": 1, "x": 1}]
    assert len(verb("peek", "t__quarantine")) == 1


def test_rows_that_fit_by_now(load: Load, rows: Rows, verb: Verb, catalog: Callable[..., str]) -> None:
    """They come into the table, but for rows whose key it has by now; a second replay finds nothing to do."""
    narrow = schema("t", ["id"], id="integer", x={"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1})
    load([narrow, record("t", id=1, x=1), record("t", id=2, x=2.5), record("t", id=3, x=3.5)], **ASIDE)
    load([narrow, record("t", id=3, x=3)])
    load([schema("t", ["id"], id="integer", x="number"), record("t", id=9, x=0.5)], schema_contract={"types": "evolve"})

    done = verb("replay", "t", "--catalog", catalog(schema("t", ["id"], id="integer", x="number")))
    again = verb("replay", "t", "--catalog", catalog(schema("t", ["id"], id="integer", x="number")))

    assert done == [{"stream": "t", "quarantined": 2, "loaded": 1, "older": 1, "invalid": 0, "replayed": True}]
    assert again[0]["quarantined"] == 0
    assert {row["id"]: row["x"] for row in rows("t")} == {1: 1.0, 2: 2.5, 3: 3.0, 9: 0.5}
    assert verb("peek", "t__quarantine") == []


def test_rows_without_keys(load: Load, rows: Rows, verb: Verb, catalog: Callable[..., str]) -> None:
    """They are added."""
    log = schema("log", (), line="string", n="integer")
    load([log, record("log", line="a", n=1), record("log", line="b", n="2")], **ASIDE)

    done = verb("replay", "log", "--catalog", catalog(schema("log", (), line="string", m="integer")))

    assert done[0]["loaded"] == 1
    assert [row["line"] for row in rows("log")] == ["a", "b"]


def test_records_that_are_no_json_and_long_numbers(
    load: Load, verb: Verb, catalog: Callable[..., str], warehouse: Path
) -> None:
    """What was broken stays as it was, however often it is replayed; a number keeps every digit on its way."""
    money = schema("t", ["id"], id="integer", x={"type": "number", "x-decimal": {"precision": 38, "scale": 9}})
    head = b'{"type": "RECORD", "stream": "t", "record": '
    lines = [b'{"id": 1, "x": 12345678901234567890.123456789, "n": "a"}', b'{"id": 2, "n": "\xff"}', b'{"id": 3, "n"}']
    numbers = schema("t", ["id"], id="integer", x=money["schema"]["properties"]["x"], n="integer")
    load(as_lines([numbers, record("t", id=0)]) + b"".join(head + line + b"}\n" for line in lines), **ASIDE)

    first = verb("replay", "t", "--catalog", catalog(money))
    kept = verb("peek", "t__quarantine", "--column", "record")
    again = verb("replay", "t", "--catalog", catalog(money))

    assert (first[0]["loaded"], first[0]["invalid"], again[0]["invalid"]) == (1, 2, 2)
    assert verb("peek", "t__quarantine", "--column", "record") == kept
    assert Decimal("12345678901234567890.123456789") in read_table(warehouse / "t")["x"].to_pylist()


@pytest.mark.parametrize("stream", ["t", "other"])
def test_nothing_to_replay(stream: str, load: Load, verb: Verb, catalog: Callable[..., str]) -> None:
    """A stream without a quarantine is refused (exit 2)."""
    load([OLD, record("t", id=1, x=1)])

    assert verb("replay", stream, "--catalog", catalog(OLD), code=2) == []


@pytest.mark.slow
def test_rows_that_the_contract_put_aside(
    load: Load, rows: Rows, verb: Verb, catalog: Callable[..., str], tmp_path: Path, warehouse: Path
) -> None:
    """Under the same contract they stay; under another they come into the table, as its columns take them."""
    texts = schema("t", ["id"], id="integer", x="string")
    load([OLD, record("t", id=1, x=1)])
    load([texts, record("t", id=2, x="two"), record("t", id=3, x=None)], schema_contract={"types": "discard_row"})

    def replayed(types: str, *more: str) -> list[dict[str, Any]]:
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"path": str(warehouse), "schema_contract": {"types": types}}))
        return verb("replay", "t", "--catalog", catalog(texts), "--config", str(config), *more)

    assert replayed("discard_row") == [
        {"stream": "t", "quarantined": 1, "loaded": 0, "older": 0, "invalid": 1, "replayed": True}
    ]
    before = rows("t"), rows("t__quarantine")
    assert replayed("variant", "--dry-run") == [
        {"stream": "t", "quarantined": 1, "loaded": 1, "older": 0, "invalid": 0, "replayed": False}
    ]
    assert (rows("t"), rows("t__quarantine")) == before
    assert replayed("variant") == [
        {"stream": "t", "quarantined": 1, "loaded": 1, "older": 0, "invalid": 0, "replayed": True}
    ]
    assert rows("t") == [{"id": number, "x": x, "x__text": text} for number, x, text in
                         ((1, 1, None), (2, None, "two"), (3, None, None))]  # fmt: skip
