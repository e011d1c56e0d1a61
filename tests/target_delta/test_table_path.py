"""Where the tables of streams lie: templates of paths, and streams that would meet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.errors import SafetyStopError, SettingsError
from target_delta.names import TEMPLATE, Folders, table_folder
from target_delta.upkeep.tables import tables

from .conftest import Load, Rows, Verb, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("stream", "template", "folder"),
    [
        ("public-orders", "{stream}", "public-orders"),
        ("public-orders", "{schema}/{stream}", "public/public-orders"),
        ("public-orders", "{schema}/{table}", "public/orders"),
        ("public-order-lines", "{schema}/{table}", "public/order-lines"),
        ("public-orders", "raw/{schema}.{table}", "raw/public.orders"),
        ("public-orders", "sales/orders", "sales/orders"),
        ("orders", "github/{stream}", "github/orders"),
        ("..-../x", "{schema}/{table}", "_~dabd3aff769f/_x~ef7e77e9a45e"),
        ("größe-a b", "{schema}/{table}", "gr_e~30b2a59e4fd3/a_b~c8687a08aa5d"),
        ("x" * 100 + "-y", "{stream}", "x" * 100 + "-y"),
    ],
)
def test_folder_of_a_stream(stream: str, template: str, folder: str) -> None:
    """A template is filled in segment by segment, and each segment is encoded by itself."""
    found = table_folder(stream, template)

    assert re.sub("[0-9a-f]{12}", "*", found) == re.sub("[0-9a-f]{12}", "*", folder)


@given(st.text(max_size=12), st.sampled_from(["{stream}", "a/{stream}", "{schema}/{table}", "x-{schema}.{table}/y"]))
def test_no_name_leaves_the_root(stream: str, template: str) -> None:
    """Whatever a stream is called, its folder has the segments of the template, each of them harmless."""
    try:
        segments = table_folder(stream, template).split("/")
    except SettingsError:
        return

    assert len(segments) == template.count("/") + 1
    assert all(re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*", segment) for segment in segments)


@given(st.sets(st.text(alphabet="ab-/.", max_size=5), min_size=2, max_size=2))
def test_schema_and_table_tell_streams_apart(names: set[str]) -> None:
    """Two streams that have a schema and a table never have one folder."""
    try:
        first, second = (table_folder(name, "{schema}/{table}") for name in names)
    except SettingsError:
        return

    assert first != second


@pytest.mark.parametrize("stream", ["orders", "-orders", "orders-", ""])
def test_name_without_a_schema(stream: str) -> None:
    """A template that asks for a schema and a table is refused for a stream that has none of its own."""
    with pytest.raises(SettingsError, match="asks for more than the stream's name has"):
        table_folder(stream, "{schema}/{table}")


@pytest.mark.parametrize("template", [
    "/", "/{stream}", "{stream}/", "a//b", "..", "../{stream}", "a/../{stream}", "./{stream}", "_x/{stream}",
    "{database}", "{stream", "{stream!r}", "{stream.x}", "a b", "a~b", "a/b/c/d/{stream}", "s3://x/{stream}",
])  # fmt: skip
def test_template_that_is_none(load: Load, template: str) -> None:
    """A template that could leave the root, or hide a table, is a wrong setting."""
    assert not re.search(TEMPLATE, template)
    assert not re.search(TEMPLATE, "{stream}\n")
    for said in (template, {"s*": template}):
        with pytest.raises(SettingsError, match="table_path"):
            load([], table_path=said)


@pytest.mark.parametrize(
    ("first", "second"), [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("a/b", "a/b/c"), ("a/b/c", "a")]
)
def test_folders_that_meet(first: str, second: str) -> None:
    """Two streams cannot have one folder, nor one inside the other's; the error names both."""
    folders = Folders()
    folders.take("one", first)

    with pytest.raises(SettingsError, match=r"stream=two, other=one"):
        folders.take("two", second)
    assert folders.take("one", first) == first


def test_folders_beside_each_other() -> None:
    """Folders that only begin alike do not meet."""
    folders = Folders()

    assert [folders.take(name, name) for name in ("a/b", "a/bc", "ab", "a/c/d")] == ["a/b", "a/bc", "ab", "a/c/d"]


PUBLIC = schema("public-orders", ["id"], id="integer")
AUDIT = schema("audit-orders", ["id"], id="integer")


def test_tables_of_a_template(load: Load, rows: Rows, verb: Verb, warehouse: Path) -> None:
    """Tables, staged loads and the quarantine lie where their template says, and every verb finds them there."""
    said: dict[str, Any] = {"table_path": {"public-*": "{schema}/{table}"}, "on_invalid_record": "quarantine"}

    load(
        [PUBLIC, AUDIT, record("public-orders", id=1), record("public-orders", id="x"), record("audit-orders", id=2)],
        **said,
    )
    load([PUBLIC, activate("public-orders", 5), record("public-orders", id=7), state(**{"public-orders": 7}),
          activate("public-orders", 5)], **said)  # fmt: skip

    assert [rows(path) for path in ("public/orders", "audit-orders")] == [[{"id": 7}], [{"id": 2}]]
    assert len(rows("public/orders__quarantine")) == 1
    assert sorted(path.name for path in warehouse.iterdir()) == ["audit-orders", "public"]
    found = {row["stream"] for row in verb("history")}
    assert found == {"public-orders", "public-orders__quarantine", "audit-orders"}
    assert verb("peek", "public-orders") == [{"id": 7}]
    assert all(row["good"] for row in verb("verify"))
    assert verb("state", "export") == [{"bookmarks": {"public-orders": 7}}]


def test_streams_on_one_path_in_one_run(load: Load, rows: Rows) -> None:
    """A template that gives two streams one folder ends the run before a row of the second is written."""
    with pytest.raises(SettingsError, match="stream=audit-orders, other=public-orders, folder=orders"):
        load(
            [PUBLIC, record("public-orders", id=1), state(a=1), AUDIT, record("audit-orders", id=2)],
            table_path="{table}",
        )


def test_streams_on_one_path_in_two_runs(load: Load, rows: Rows) -> None:
    """A table that another stream has made is not written to by a run whose template leads there."""
    load([PUBLIC, record("public-orders", id=1)], table_path="{table}")

    with pytest.raises(SafetyStopError, match="belongs to another stream"):
        load([AUDIT, record("audit-orders", id=2)], table_path="{table}")

    assert rows("orders") == [{"id": 1}]


@pytest.mark.parametrize(
    ("first", "second"), [("lake", "lake/{stream}"), ("lake/x/{stream}", "lake")], ids=["in", "around"]
)
def test_table_inside_a_table(load: Load, first: str, second: str) -> None:
    """A new table is not made in the folder of another one, nor around it: vacuum would delete its files."""
    load([PUBLIC, record("public-orders", id=1)], table_path=first)

    with pytest.raises(SafetyStopError, match="inside another one, or around it"):
        load([AUDIT, record("audit-orders", id=2)], table_path=second)


@pytest.mark.parametrize("path", [
    "s3:/lake", "s3://", "s3:///w", "s3://lake//w", "s3://lake/w?x", "s3://lake/#w", "gs:/x/y", "a%20b/w", "file:///a%2520b",
])  # fmt: skip
def test_address_that_is_none(load: Load, verb: Verb, path: str) -> None:
    """An address that means another place than it says is refused by runs and by verbs, before anything is asked."""
    with pytest.raises(SettingsError, match="the path cannot be used"):
        load([PUBLIC], path=path)
    with pytest.raises(SettingsError, match="the path cannot be used"):
        tables(path, {})


@pytest.mark.parametrize("folder", ["a b/%", "ü#?/&", "s3/lake", "x:y"])
def test_folders_with_unusual_names(load: Load, tmp_path: Path, folder: str) -> None:
    """A folder on a disk may be called what it likes."""
    for number in range(2):
        load([PUBLIC, record("public-orders", id=number)], path=str(tmp_path / folder))

    [found] = tables(str(tmp_path / folder), {})
    assert sum(file.rows or 0 for file in found.snapshot.files) == 2
    assert [path.name for path in tmp_path.joinpath(*folder.split("/")).iterdir()] == ["public-orders"]
