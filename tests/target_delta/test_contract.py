"""What streams may change of their tables: sixty drifts and more, each a line of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from singerkit.errors import SafetyStopError
from target_delta.commit import Committer
from target_delta.contract import Contract
from target_delta.store import Store
from target_delta.table import Table

from .conftest import Load, Verb, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64(), "f64": pa.float64(), "day": pa.date32(),
    "at": pa.timestamp("us", "UTC"), "local": pa.timestamp("us"), "text": pa.string(), "bool": pa.bool_(),
    "d10.2": pa.decimal128(10, 2), "d12.2": pa.decimal128(12, 2), "d21.2": pa.decimal128(21, 2),
    "d12.4": pa.decimal128(12, 4), "d38.0": pa.decimal128(38, 0), "d38.9": pa.decimal128(38, 9),
    "d37.8": pa.decimal128(37, 8),
}  # fmt: skip

DRIFTS = """
    i16  i16 i16    i16  i32 i32    i16  i64  i64    i16  f64  f64   i16  d10.2 d10.2  i16  day   -     i16  text  -
    i32  i16 i32    i32  i64 i64    i32  f64  f64    i32  d10.2 d12.2 i32 d12.2 d12.2  i32  bool  -     i32  at    -
    i64  i16 i64    i64  i32 i64    i64  i64  i64    i64  f64  f64   i64  d10.2 d21.2  i64  d38.0 d38.0 i64  d38.9 d38.9
    i64  text -     i64  bool -     i64  at   -      f64  i16  f64   f64  i64   f64    f64  d10.2 -     f64  text  -
    d10.2 i16 d10.2 d10.2 i64 d10.2 d10.2 f64 -      d10.2 d10.2 d10.2 d10.2 d12.4 d12.4 d12.4 d10.2 d12.4
    d10.2 d38.0 -   d38.0 d10.2 -   d38.9 d38.0 -    d12.2 d12.4 d14.4 d10.2 text -    d37.8 d10.2 d37.8
    day  day day    day  at  at     day  local local day  i64  -     day  text  -      at   day   -     at   local -
    local at -      at   text -     text i64  -      text f64  -     text day   -      text at    -     text bool  -
    bool bool bool  bool i64 -      bool text -      text text text  i16  bool  -      f64  day   -     f64  f64   f64
"""
"""The table's type, the one that comes, and what the column becomes: three words a case."""
WORDS = DRIFTS.split()
CASES = [tuple(WORDS[place : place + 3]) for place in range(0, len(WORDS), 3)]
KINDS["d14.4"] = pa.decimal128(14, 4)


def columns(**kinds: pa.DataType) -> pa.Schema:
    return pa.schema(list(kinds.items()))


@pytest.mark.parametrize(("old", "new", "becomes"), CASES, ids=[f"{old}+{new}" for old, new, _ in CASES])
def test_types(old: str, new: str, becomes: str) -> None:
    """A column takes what its type holds, becomes wider where no value changes, and refuses everything else."""
    table, incoming = columns(x=KINDS[old]), columns(x=KINDS[new])

    if becomes == "-":
        with pytest.raises(SafetyStopError, match="cannot take the incoming values unchanged"):
            Contract(types="evolve").evolved(table, incoming)
    else:
        assert Contract(types="evolve").evolved(table, incoming) == columns(x=KINDS[becomes])
        if becomes != old:
            with pytest.raises(SafetyStopError, match="cannot take the incoming values unchanged"):
                Contract().evolved(table, incoming)


def test_there_are_sixty_drifts() -> None:
    """The table above is as long as it says."""
    assert len(CASES) >= 60
    assert len(CASES) == len(set(CASES))


INNER = pa.struct([("a", pa.int64())])
WIDER_INNER = pa.struct([("a", pa.int64()), ("b", pa.string())])
ADDED: list[tuple[str, pa.Schema, pa.Schema | None]] = [
    ("evolve", columns(x=INNER, y=pa.string()), columns(x=INNER, y=pa.string())),
    ("evolve", columns(x=WIDER_INNER), columns(x=WIDER_INNER)),
    ("discard_value", columns(x=INNER, y=pa.string()), columns(x=INNER)),
    ("discard_value", columns(x=WIDER_INNER), columns(x=INNER)),
    ("discard_value", columns(y=pa.string()), columns(x=INNER)),
    ("freeze", columns(x=INNER), columns(x=INNER)),
    ("freeze", columns(x=INNER, y=pa.string()), None),
    ("freeze", columns(x=WIDER_INNER), None),
]


@pytest.mark.parametrize(("mode", "incoming", "becomes"), ADDED, ids=range(len(ADDED)))
def test_columns(mode: Any, incoming: pa.Schema, becomes: pa.Schema | None) -> None:
    """A new column, or a new field of an object, comes, is left out, or stops the run."""
    contract = Contract(columns=mode)

    if becomes is None:
        with pytest.raises(SafetyStopError, match="the contract lets no column be added"):
            contract.evolved(columns(x=INNER), incoming)
    else:
        assert contract.evolved(columns(x=INNER), incoming) == becomes


EVOLVE = {"schema_contract": {"types": "evolve"}}
INT, NUMBER, MONEY = {"type": "integer"}, {"type": "number"}, {"type": "number", "multipleOf": 0.01}
DAY, AT = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
WIDENED: list[tuple[str, dict[str, Any], list[Any], dict[str, Any], list[Any], list[str]]] = [
    ("integers to doubles", INT, [1, 2], NUMBER, [2.5], ["1.0", "2.5"]),
    ("integers to money", INT, [1, 9007199254740993], MONEY, [0.25], ["1.00", "0.25"]),
    ("days to instants", DAY, ["2026-01-01", "1969-12-31"], AT, ["2026-02-03T04:05:06Z"],
     ["2026-01-01 00:00:00+00:00", "2026-02-03 04:05:06+00:00"]),
    ("nothing to doubles", INT, [None, None], NUMBER, [2.5], ["None", "2.5"]),
]  # fmt: skip


@pytest.mark.parametrize("case", WIDENED, ids=[case[0] for case in WIDENED])
def test_table_is_written_again(case: tuple[Any, ...], load: Load, verb: Verb, warehouse: Path) -> None:
    """With types: evolve the table takes the wider type, in one commit that upkeep is named for; no value changes."""
    _, old, first, new, then, reads = case
    before, after = (schema("t", ["id"], id="integer", x=node) for node in (old, new))
    load([before, *(record("t", id=place, x=value) for place, value in enumerate(first)), state(t=1)])

    load([after, *(record("t", id=1 + place, x=value) for place, value in enumerate(then)), state(t=2)], **EVOLVE)

    table = DeltaTable(warehouse / "t").to_pyarrow_table().sort_by("id")
    assert [str(value) for value in table["x"].to_pylist()] == reads
    assert "widen" in [row["what"] for row in verb("history")]
    assert all(row["good"] for row in verb("verify"))
    assert verb("state", "export") == [{"bookmarks": {"t": 2}}]


def test_partitioned_and_widened(load: Load, verb: Verb) -> None:
    """The partitions of a key stay the same when its type becomes wider."""
    parted = {"partitioning": {"mode": "md5", "count": 4}}
    small = schema("t", ["id"], id={"type": "integer", "minimum": -32768, "maximum": 32767})
    load([small, *(record("t", id=number) for number in range(20))], **parted)

    load([schema("t", ["id"], id="integer"), record("t", id=3), record("t", id=2**40)], **EVOLVE)

    assert sorted(row["id"] for row in verb("peek", "t", "--limit", "99")) == [*range(20), 2**40]
    assert all(row["good"] for row in verb("verify"))


STOPS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str]] = [
    ("a table", {"schema_contract": {"tables": "freeze"}}, [schema("new", id="integer"), record("new", id=1)],
     "the contract lets no table be made"),
    ("a column", {"schema_contract": {"columns": "freeze"}},
     [schema("t", ["id"], id="integer", x="integer", y="string"), record("t", id=1)], "lets no column be added"),
    ("a column of a full load", {"schema_contract": {"columns": "freeze"}},
     [schema("t", ["id"], id="integer", y="string"), activate("t", 5), record("t", id=1), activate("t", 5)],
     "lets no column be added"),
    ("a type", {}, [schema("t", ["id"], id="integer", x="number"), record("t", id=1, x=1.5)], "unchanged"),
    ("a number that no double has", {"schema_contract": {"types": "evolve"}},
     [schema("t", ["id"], id="integer", x="number"), record("t", id=1, x=1.5)], "unchanged"),
    ("of one stream", {"schema_contract": {"t*": {"columns": "freeze"}}},
     [schema("t", ["id"], id="integer", x="integer", y="string"), record("t", id=1)], "lets no column be added"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "messages", "why"), [case[1:] for case in STOPS], ids=[case[0] for case in STOPS])
def test_what_is_frozen(
    config: dict[str, Any], messages: list[dict[str, Any]], why: str, load: Load, warehouse: Path
) -> None:
    """The run stops before anything is written: the table is as it was, and no STATE leaves."""
    load([schema("t", ["id"], id="integer", x="integer"), record("t", id=0, x=2**60 + 1)])
    version = DeltaTable(warehouse / "t").version()

    with pytest.raises(SafetyStopError, match=why):
        load([*messages, state(t=1)], **config)

    assert DeltaTable(warehouse / "t").version() == version
    assert not (warehouse / "new" / "_delta_log").exists()


@pytest.mark.parametrize("full", [False, True])
def test_columns_that_are_left_out(full: bool, load: Load, verb: Verb) -> None:
    """With discard_value rows come without their new columns, in full loads too."""
    load([schema("t", ["id"], id="integer", x="integer"), record("t", id=0, x=1)])
    rows = [record("t", id=1, x=2, y="new")]
    rows = [activate("t", 5), *rows, activate("t", 5)] if full else rows

    load([schema("t", ["id"], id="integer", x="integer", y="string"), *rows],
         schema_contract={"columns": "discard_value"})  # fmt: skip

    assert sorted(verb("peek", "t"), key=lambda row: row["id"]) == [
        *([] if full else [{"id": 0, "x": 1}]), {"id": 1, "x": 2},
    ]  # fmt: skip


def test_table_that_is_too_large(load: Load, warehouse: Path) -> None:
    """Beyond the limit the run stops, says what to do, and the table is as it was."""
    load([schema("t", ["id"], id="integer", x="integer"), record("t", id=0, x=1)])
    table = Table(Store(str(warehouse / "t"), {}), "t")
    committer = Committer(table, "run", contract=Contract(types="evolve", limit_bytes=1))

    with pytest.raises(SafetyStopError, match="larger than widen_limit_mb"):
        committer.ready(columns(id=pa.int64(), x=pa.float64()))

    assert DeltaTable(warehouse / "t").version() == 1


def test_column_by_which_a_table_is_partitioned(load: Load) -> None:
    """Its type stays: the folders would have other names."""
    load([schema("t", ["id"], id="integer", x={"type": "integer", "minimum": 0, "maximum": 9}), record("t", id=0, x=1)],
         partitioning={"mode": "column", "keys": ["x"]})  # fmt: skip

    with pytest.raises(SafetyStopError, match="a column by which it is partitioned would change"):
        load([schema("t", ["id"], id="integer", x="number"), record("t", id=0, x=1.5)], **EVOLVE)


def test_quarantine_is_always_made(load: Load, verb: Verb) -> None:
    """A frozen contract speaks of the tap's streams: their invalid rows still have their table."""
    load([schema("t", ["id"], id="integer"), record("t", id=0)])

    load([schema("t", ["id"], id="integer"), record("t", id="x"), state(t=1)],
         schema_contract={"tables": "freeze"}, on_invalid_record="quarantine")  # fmt: skip

    assert len(verb("peek", "t__quarantine")) == 1
