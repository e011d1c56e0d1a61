"""The loader from its input to its tables: settings, order, STATE, memory limits, maps, and what it refuses."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from singerkit.errors import SafetyStopError, SettingsError, StoreError
from singerkit.settings.read import checked
from singerkit.settings.rows import rows
from singerkit.settings.schema import settings_schema
from target_delta.settings import Settings
from target_delta.target import TargetDelta

from .conftest import Load, Rows, activate, as_lines, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = schema("people", ["id"], id="integer", name="string")
LOG = schema("log", (), n="integer")


def numbers(count: int) -> list[dict[str, Any]]:
    return [record("log", n=number) for number in range(count)]


def test_append_without_keys_and_upsert_with_keys(load: Load, rows: Rows) -> None:
    """By default rows of a stream with keys replace each other, rows of another are all kept."""
    for _ in range(2):
        load([PEOPLE, LOG, record("people", id=1, name="a"), record("log", n=1)])

    assert rows("people") == [{"id": 1, "name": "a"}]
    assert rows("log") == [{"n": 1}, {"n": 1}]


@pytest.mark.parametrize(("method", "expected"), [
    ("append-only", [1, 1, 2]), ({"other": "upsert", "peop*": "append-only"}, [1, 1, 2]),
    ("upsert", [1, 2]), ({"other": "append-only"}, [1, 2]), ("overwrite", [1]), ({"*": "overwrite"}, [1]),
])  # fmt: skip
def test_load_method(load: Load, rows: Rows, method: Any, expected: list[int]) -> None:
    """A method is for all streams, or for those that its glob matches; overwrite replaces at the end of the input."""
    load([PEOPLE, record("people", id=1), record("people", id=2)])

    states = load([PEOPLE, record("people", id=1), state(people=1)], load_method=method)

    assert [row["id"] for row in rows("people")] == expected
    assert states[-1] == {"bookmarks": {"people": 1}}


def test_upsert_of_a_stream_without_keys_is_refused(load: Load) -> None:
    """What cannot be upserted says so, and how to go on."""
    with pytest.raises(SettingsError, match="load_method is upsert for a stream that has no keys"):
        load([LOG, record("log", n=1)], load_method="upsert")


def test_state_after_each_batch(load: Load) -> None:
    """A STATE leaves when its batch is committed, not at the end."""
    messages = [LOG]
    for number in range(6):
        messages += [record("log", n=number), state(log=number)]
    blocks = as_lines(messages)

    assert load(blocks, batch_size_rows=2)[-1] == {"bookmarks": {"log": 5}}


def test_digits_of_a_state(capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers of a STATE leave with every digit: a bookmark that is rounded up would pass rows over."""
    numbers = '"a":0.12345678901234567890,"b":123456789012345678901234567890,"c":1.5,"d":12345678901234567.25'
    line = f'{{"type": "STATE", "value": {{"bookmarks": {{"log": {{{numbers}}}}}}}}}\n'
    target = TargetDelta(config={"path": "."})

    target.listen(io.BytesIO(line.encode()))  # type: ignore[arg-type]  # bytes and text both work

    assert capsys.readouterr().out == f'{{"bookmarks":{{"log":{{{numbers}}}}}}}\n'


def test_schema_change_writes_the_old_rows_first(load: Load, rows: Rows) -> None:
    """Rows of an old schema are in the table before rows of the new one: the newest row of a key stays."""
    wider = schema("people", ["id"], id="integer", name="string", age="integer")

    load([PEOPLE, record("people", id=1, name="old"), wider, record("people", id=1, name="new", age=3)])

    assert rows("people") == [{"id": 1, "name": "new", "age": 3}]


def test_batch_files(load: Load, rows: Rows, tmp_path: Path) -> None:
    """Rows before a BATCH come first; its files are deleted after the commit where the tap asks for it."""
    table = pa.table({"id": [1, 2], "name": ["b", "c"]})
    keep, drop = tmp_path / "keep.parquet", tmp_path / "drop.parquet"
    pq.write_table(table, keep)
    pq.write_table(table.slice(1), drop)
    batch = {"type": "BATCH", "stream": "people", "encoding": {"format": "parquet"}}

    load([
        PEOPLE, record("people", id=1, name="a"), batch | {"manifest": [keep.as_uri()]},
        batch | {"manifest": [drop.as_uri()], "x-delete-after-commit": True}, state(people=1),
    ])  # fmt: skip

    assert rows("people") == [{"id": 1, "name": "b"}, {"id": 2, "name": "c"}]
    assert (keep.exists(), drop.exists()) == (True, False)


def test_null_key_in_a_batch_file(load: Load, tmp_path: Path) -> None:
    """A NULL in a key column of a file is refused before anything of it is written."""
    pq.write_table(pa.table({"id": pa.array([1, None], pa.int64()), "name": ["a", "b"]}), tmp_path / "x.parquet")

    with pytest.raises(SafetyStopError, match="key"):
        load([PEOPLE, {"type": "BATCH", "stream": "people", "encoding": {"format": "parquet"},
                       "manifest": [(tmp_path / "x.parquet").as_uri()]}])  # fmt: skip


def test_record_metadata(load: Load, warehouse: Path) -> None:
    """With add_record_metadata rows say when they came; _sdc_ columns that the SCHEMA declares stay as they are."""
    described = schema("people", ["id"], id="integer", _sdc_sequence="integer")

    load([described, record("people", id=1, _sdc_sequence=7)
          | {"time_extracted": "2024-01-02T03:04:05+00:00"}], add_record_metadata=True)  # fmt: skip

    row = DeltaTable(warehouse / "people").to_pyarrow_table().to_pylist()[0]
    assert (row["_sdc_sequence"], row["_sdc_extracted_at"].isoformat()) == (7, "2024-01-02T03:04:05+00:00")
    assert row["_sdc_received_at"] is not None and row["_sdc_deleted_at"] is None  # noqa: PT018  # one row


def test_stream_maps(load: Load, rows: Rows) -> None:
    """singer-sdk's maps rename, filter and compute; its own code does it."""
    maps = {"people": {"__alias__": "folk", "__filter__": "id > 1", "name": "name.upper()", "extra": "int(id * 2)"}}

    load([PEOPLE, *(record("people", id=n, name=f"n{n}") for n in (1, 2)), state(people=2)], stream_maps=maps)

    assert rows("folk") == [{"id": 2, "name": "N2", "extra": 4}]


def test_flattening(load: Load, rows: Rows) -> None:
    """singer-sdk's flattening makes columns of objects."""
    nested = schema("s", (), o={"type": "object", "properties": {"a": {"type": ["integer", "null"]}}})

    load([nested, record("s", o={"a": 1})], flattening_enabled=True, flattening_max_depth=1)

    assert rows("s") == [{"o__a": 1}]


@pytest.mark.parametrize(("line", "message"), [
    (b'{"type":"RECORD","stream":"log","record":{"n":', "not a Singer message|not a RECORD|invalid record"),
    (b"not json\n", "not a Singer message|not JSON"), (b'{"type":"NOISE"}\n', "unknown type"),
    (b'{"type":"RECORD","stream":"other","record":{}}\n', "before its SCHEMA"),
    (b'{"type":"RECORD","stream":"log","record":{"n":"x"}}\n', "invalid record"),
    (b'{"type":"STATE"}', "STATE message has no value"),
    (b'{"type":"ACTIVATE_VERSION","stream":"log","version":"x"}\n', "no whole number"),
    (b'{"type":"ACTIVATE_VERSION","stream":"log","version":99999999999999999999}\n', "no whole number"),
    (b'{"type":"SCHEMA","schema":{"properties":{"n":{}}}}\n', "names no stream"),
    (b'{"type":"SCHEMA","stream":"log","schema":{"properties":{"n":5}}}\n', "no JSON Schema"),
    (b'{"type":"BATCH","stream":"log","encoding":"csv","manifest":["x"]}\n', "encoding that is not known"),
    (b'{"type":"BATCH","stream":"log","encoding":{"format":"jsonl"},"manifest":"x"}\n', "no list of addresses"),
])  # fmt: skip
def test_broken_input_ends_the_run(
    load: Load, rows: Rows, line: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not understood ends the run with an error; a STATE behind it does not leave, one before it may."""
    load([LOG, record("log", n=0)])

    with pytest.raises(SafetyStopError, match=message):
        load(as_lines([LOG, record("log", n=1)]) + line + (as_lines([state(log=9)]) if line.endswith(b"\n") else b""))

    assert '"log":9' not in capsys.readouterr().out
    assert {"n": 0} in rows("log")


def test_names_that_differ_by_case_on_a_disk_that_does_not_tell_them_apart(load: Load, warehouse: Path) -> None:
    """A table that another stream of the same letters has made is refused; such a disk is shown by a link."""
    load([schema("orders", (), n="integer"), record("orders", n=1)])
    (warehouse / "Orders").symlink_to(warehouse / "orders")

    with pytest.raises(SafetyStopError, match="the table belongs to another stream"):
        load([schema("Orders", (), n="integer"), record("Orders", n=1)])


def test_table_with_other_types(load: Load, warehouse: Path) -> None:
    """A column that the table holds in a type that does not fit stops the run; the table is as it was."""
    write_deltalake(warehouse / "log", pa.table({"n": ["text"]}))

    with pytest.raises(SafetyStopError, match="n"):
        load([LOG, record("log", n=1), state(log=1)])

    assert DeltaTable(warehouse / "log").version() == 0


def test_path_that_is_a_file(load: Load, warehouse: Path) -> None:
    """Where no folder can be, one line says so."""
    warehouse.write_text("")

    with pytest.raises(StoreError, match="stream=log"):
        load([LOG, record("log", n=1), state(log=1)])


def test_corrupt_log(load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log entry that cannot be read ends the run; no STATE leaves."""
    load([LOG, record("log", n=1)])
    (warehouse / "log" / "_delta_log" / f"{1:020}.json").write_text("garbage\n")

    with pytest.raises(StoreError, match="table cannot be read"):
        load([LOG, record("log", n=2), state(log=2)])

    assert capsys.readouterr().out == ""


def test_vanished_data_file(load: Load, warehouse: Path) -> None:
    """A data file that is gone ends an upsert that must read it."""
    load([PEOPLE, record("people", id=1)])
    for file in (warehouse / "people").glob("*.parquet"):
        file.unlink()

    with pytest.raises(StoreError, match="No such file"):
        load([PEOPLE, record("people", id=1), state(people=1)])


def test_report(load: Load, tmp_path: Path) -> None:
    """The report says for each stream what was received, inserted and updated."""
    load([PEOPLE, record("people", id=1)])

    load([PEOPLE, record("people", id=1), record("people", id=2)], report_file=str(tmp_path / "out" / "report.json"))

    report = json.loads((tmp_path / "out" / "report.json").read_text())
    counts = report["streams"]["people"]
    assert report["outcome"] == "good"
    assert (counts["rows"], counts["inserted"], counts["updated"], counts["commits"]) == (2, 1, 1, 1)


@pytest.mark.slow
def test_many_streams_under_one_ceiling(load: Load, warehouse: Path) -> None:
    """Three hundred open streams are written, each complete."""
    streams = [f"s{number}" for number in range(300)]
    messages: list[dict[str, Any]] = [schema(stream, (), n="integer") for stream in streams]
    messages += [record(stream, n=1) for _ in range(2) for stream in streams]

    load([*messages, state(all=1)])

    assert all(DeltaTable(warehouse / stream).count() == 2 for stream in streams)


def test_empty_input(load: Load) -> None:
    """Nothing in, nothing out."""
    assert load(b"") == []


def test_defaults_are_stated_once() -> None:
    """A setting that is not given, or null, has the default of its row."""
    assert checked(Settings, {}) == checked(Settings, {row.name: None for row in rows(Settings)})
    assert checked(Settings, {}).path == "./warehouse"


def test_storage_options_are_texts() -> None:
    """delta-rs takes texts; true and numbers are written as it reads them."""
    options = checked(Settings, {"storage_options": {"a": True, "b": 1, "c": None}}).storage_options

    assert options == {"a": "true", "b": "1"}


def test_settings_of_the_sdk_that_are_not_honoured_are_not_offered() -> None:
    """--about shows our rows, and singer-sdk's maps and flattening."""
    TargetDelta.append_builtin_config(TargetDelta.config_jsonschema)

    offered = set(TargetDelta.config_jsonschema["properties"]) - set(settings_schema(Settings)["properties"])

    assert {name.split("_")[0] for name in offered} <= {"stream", "flattening", "faker"}


@pytest.mark.parametrize(("config", "message"), [
    ({"load_method": "merge"}, "load_method"), ({"load_method": {"a": "merge"}}, "load_method"),
    ({"batch_size_rows": 0}, "batch_size_rows"), ({"max_memory_mb": 1}, "max_memory"), ({"pth": "x"}, "pth: unknown"),
    ({"compression": "rar"}, "compression"), ({"activate_version": "maybe"}, "activate_version"),
])  # fmt: skip
def test_bad_settings(config: dict[str, Any], message: str) -> None:
    """Each wrong setting is named."""
    with pytest.raises(SettingsError, match=message):
        TargetDelta(config=config)


@pytest.mark.parametrize("codec", ["zstd", "snappy", "lz4", "gzip", "none"])
def test_every_codec(load: Load, rows: Rows, codec: str) -> None:
    """Each codec that is offered is written and read."""
    load([LOG, record("log", n=1)], compression=codec)

    assert rows("log") == [{"n": 1}]


@pytest.mark.slow
def test_slow_tap_gets_its_state(tmp_path: Path) -> None:
    """When the input pauses, a STATE that waits leaves, while the input stays open; SIGTERM then ends with 143."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": str(tmp_path / "warehouse")}))
    command = [sys.executable, "-m", "target_delta", "--config", str(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdin
        assert run.stdout
        run.stdin.write(as_lines([LOG, record("log", n=1), state(log=1)]))
        run.stdin.flush()

        assert json.loads(run.stdout.readline()) == {"bookmarks": {"log": 1}}
        os.kill(run.pid, signal.SIGTERM)
        assert run.wait(timeout=30) == 143


def test_text_input(warehouse: Path, rows: Rows) -> None:
    """A file object of text is read as one of bytes."""
    target = TargetDelta(config={"path": str(warehouse)})

    target.listen(io.StringIO(as_lines([LOG, record("log", n=1)]).decode()))

    assert rows("log") == [{"n": 1}]


def test_first_message_of_a_load_before_its_schema(load: Load) -> None:
    """ACTIVATE_VERSION needs a SCHEMA before it."""
    with pytest.raises(SafetyStopError, match="before its SCHEMA"):
        load([activate("log", 1)])


def test_quarantine(load: Load, rows: Rows) -> None:
    """A record that does not fit, or has no key, is kept with its reason; the others go on, and STATE with them."""
    bad = [record("people", id="x"), record("people", name="no key")]

    states = load([PEOPLE, *bad, record("people", id=1), state(people=1)], on_invalid_record="quarantine")

    kept = rows("people__quarantine")
    assert [row["id"] for row in rows("people")] == [1]
    assert {(row["column"], json.loads(row["record"])["record"].get("id")) for row in kept} == {
        ("id", "x"),
        ("id", None),
    }
    assert states == [{"bookmarks": {"people": 1}}]


@pytest.mark.parametrize("line", [b'{"type":"RECORD","stream":"people","record":{"id":}}\n',
                                  b'{"type":"RECORD","stream":"people","rec":{"id":1}}\n'])  # fmt: skip
def test_broken_record_of_a_mapped_stream(load: Load, line: bytes) -> None:
    """What singer-sdk's maps cannot read ends the run as any broken line does."""
    with pytest.raises(SafetyStopError, match="not a record in JSON"):
        load(as_lines([PEOPLE]) + line, stream_maps={"people": {"name": "name"}})


def test_rows_of_a_file_that_omit_columns(load: Load, rows: Rows, tmp_path: Path) -> None:
    """A stored value stays where a row of a BATCH file omits its column, as where a RECORD does."""
    load([PEOPLE, record("people", id=1, name="a"), record("people", id=2, name="b")])
    pq.write_table(pa.table({"id": [1, 2], "_sdc_omitted": [["name"], None]}), tmp_path / "x.parquet")
    batch = {"type": "BATCH", "stream": "people", "encoding": {"format": "parquet"}}

    load([PEOPLE, batch | {"manifest": [(tmp_path / "x.parquet").as_uri()]}])

    assert rows("people") == [{"id": 1, "name": "a"}, {"id": 2, "name": None}]


def test_undeclared_properties(load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Properties that the SCHEMA does not declare are counted and named once a stream, and never shown."""
    sent = [record("people", id=number, secret="tiger", city="x") for number in range(3)]

    load([PEOPLE, sent[0], state(people=1), *sent[1:]], report_file=str(tmp_path / "report.json"))

    (said,) = [entry.getMessage() for entry in caplog.records if "does not declare" in entry.getMessage()]
    assert said.endswith("stream=people, count=2, properties=secret city")
    assert json.loads((tmp_path / "report.json").read_text())["streams"]["people"]["undeclared"] == 2
    assert "tiger" not in caplog.text


def test_debug_log(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """With DEBUG the log grows with the batches, not with the rows, and shows none of them."""
    with caplog.at_level("DEBUG"):
        load([PEOPLE, *(record("people", id=number, name="tiger") for number in range(10))])
        few = len(caplog.records)
        load([PEOPLE, *(record("people", id=number, name="tiger") for number in range(10, 5000))])

    assert len(caplog.records) - few < 2 * few
    assert "tiger" not in caplog.text


def test_state_behind_nothing_but_invalid_records(load: Load) -> None:
    """A STATE leaves also where every record before it went to the quarantine."""
    messages = [PEOPLE, record("people", id="x"), state(people=1)]

    assert load(messages, on_invalid_record="quarantine") == [{"bookmarks": {"people": 1}}]


def test_state_before_an_invalid_record_is_read(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines may wait to be read, but no STATE leaves before they were; the error names the row of the run."""
    rounds = [[record("people", id=turn), record("log", n=turn), state(people=turn)] for turn in range(9)]
    messages = [PEOPLE, LOG, *chain.from_iterable(rounds), record("people", id="x"), state(people=9)]

    with pytest.raises(SafetyStopError, match=r"row=9, column=id"):
        load(messages)

    assert capsys.readouterr().out == ""


def test_the_log_counts_messages_by_their_type(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """What singer-sdk says at the end of a run is what was read."""
    with caplog.at_level("INFO"):
        load([PEOPLE, record("people", id=1), record("people", id=2), state(people=2)])

    assert "(1 schemas, 2 records, 0 batch manifests, 1 state messages, 0 activate version messages)" in caplog.text
