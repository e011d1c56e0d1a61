"""Rows are held to their own rules when they are loaded: every mistake at once, each in its words."""

from typing import Any

import pytest

from singerkit.errors import SettingsError
from singerkit.rest import pages
from singerkit.rest.bookmarks import Bookmark
from singerkit.rest.check import check_rows
from singerkit.rest.endpoint import Endpoint, Parent, Partition, Source, Window
from singerkit.rest.rules import Rule
from singerkit.rest.schema import schemas

SOURCE = Source(base_url="http://h")
SCHEMA = {"properties": {"id": {"type": "integer"}, "at": {"type": "string"}, "p": {"type": "integer"}}}


def row(name: str = "x", **more: Any) -> Endpoint:
    return Endpoint(**({"name": name, "path": "/x", "schema": SCHEMA} | more))


def up(**more: Any) -> tuple[Parent, ...]:
    return (Parent(**({"stream": "up", "params": {"p": "id"}} | more)),)


UP = row("up", bookmarks=(Bookmark(field="at"),))
CASES = {
    "twice": ([row(), row()], "x: the name is used 2 times"),
    "placeholder": (
        [row(path="/{tokn}")],
        "x: {tokn} is neither a setting nor a parameter of a parent, did you mean token?",
    ),
    "parent": ([UP, row(parents=up(stream="upp"))], "x: parent upp is unknown, did you mean up?"),
    "circle": ([row("up", parents=up(stream="x")), row(parents=up())], "x: parent up is its own descendant"),
    "three": ([UP, row(parents=up() * 3)], "x: 3 parents; at most 2 can be combined"),
    "changed-by": ([UP, row(parents=up(changed_by="id"))], "x: changed_by id is no bookmark of up"),
    "changed-by-full": (
        [UP, row(parents=up(changed_by="at"))],
        "x: changed_by needs a bookmark: a full load holds the children of every parent",
    ),
    "changed-by-two": (
        [UP, row(parents=up(changed_by="at") * 2, bookmarks=(Bookmark(field="at"),))],
        "x: changed_by works with one parent",
    ),
    "no-path": ([row(path="")], "x: path is missing"),
    "jsonpath": ([row(records="$..[")], "x: $..[ is no JSONPath"),
    "regex": ([row(rules=(Rule(action="end", matches="("),))], "x: ( is no regular expression"),
    "read": ([row(read="nothing")], "x: read nothing is not written like module:function"),
    "exclusive": (
        [row(bookmarks=(Bookmark(field="at", type="text", exclusive=True),))],
        "x: bookmark at: exclusive needs a type with a smallest step",
    ),
    "window": (
        [row(bookmarks=(Bookmark(field="at"),), window=Window(cap=1))],
        "x: bookmark at: a window needs type datetime, param and until_param",
    ),
    "window-alone": ([row(window=Window(cap=1))], "x: a window needs a bookmark"),
    "format": ([row(bookmarks=(Bookmark(field="at", format="iso8601"),))], "x: bookmark at: format iso8601 is unknown"),
    "key": ([row(keys=("idd",))], "x: keys idd is not in the schema, did you mean id?"),
    "bookmark": ([row(bookmarks=(Bookmark(field="upd"),))], "x: bookmark upd is not in the schema (known: at, id, p)"),
    "partition": ([row(partition=Partition(keys=("no",)))], "x: partition no is not in the schema (known: at, id, p)"),
    "version": ([row(version_keys=("v",))], "x: version_keys v is not in the schema (known: at, id, p)"),
    "child-key": (
        [UP, row(parents=up(), keys=("id",))],
        "x: keys must hold a column of the parent (p), or own_keys must say why not",
    ),
    "drop": ([row(keys=("id",), drop=("id",))], "x: drop: id is a key"),
    "page-size": (
        [row(pages=pages.Offset(size=500, max_size=200))],
        "x: pages: size 500 is above the vendor's maximum 200",
    ),
    "page-size-0": ([row(pages=pages.Offset(size=0))], "x: pages: size 0 is less than 1"),
    "renames": ([row(renames={"a": "c", "b": "c"})], "x: renames: 2 fields would be c"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_said_with_its_row(case: str) -> None:
    """Each mistake names the row, what is wrong, and the nearest known name."""
    rows, said = CASES[case]
    columns = {one.name: SCHEMA for one in rows}

    with pytest.raises(SettingsError) as caught:
        check_rows(SOURCE, rows, ["token"], columns)

    assert said in str(caught.value)
    assert str(caught.value).startswith("the rows cannot be used: ")


def test_all_mistakes_at_once() -> None:
    """Nobody has to run a tap five times to find five mistakes."""
    rows = [row(path="/{nope}", keys=("no",)), row("y", records="$..[")]

    with pytest.raises(SettingsError) as caught:
        check_rows(Source(base_url="{where}"), rows, ["token"], {"x": SCHEMA, "y": SCHEMA})

    assert str(caught.value).count(";") == 4
    assert "source: {where} is no setting (known: token);" in str(caught.value)


@pytest.mark.parametrize("name", ["updated_at", "last_seen", "status", "modifiedAt"])
def test_a_partition_on_a_column_that_changes(name: str) -> None:
    """A row that changes such a column would be in two partitions."""
    schema = {"properties": {name: {"type": "string"}}}

    said = f"partition {name} sounds like a column that changes: a changed row would be in two partitions"
    with pytest.raises(SettingsError, match=said):
        check_rows(SOURCE, [row(partition=Partition(keys=(name,)))], [], {"x": schema})


def test_good_rows_pass() -> None:
    """Rows with parents, bookmarks and pages that fit raise nothing."""
    marks = (Bookmark(field="at"),)
    rows = [UP, row(path="/{p}", parents=up(changed_by="at"), keys=("p", "id"), bookmarks=marks, pages=pages.Link())]

    check_rows(SOURCE, rows, [], schemas({one.name: one for one in rows}, None))


def test_a_stream_without_a_schema() -> None:
    """A row needs a schema; the error says which file would hold it."""
    with pytest.raises(SettingsError) as caught:
        schemas({"x": row(schema=None)}, None)

    assert str(caught.value) == (
        "the stream has no schema (stream=x, file=schemas/x.json); "
        "write the file, give the row a `schema`, or let `tap-rest infer` propose one"
    )


def test_a_parents_column_without_a_type() -> None:
    """A column that comes from the parent has the parent's type, or one of its own."""
    rows = {"up": UP, "x": row(parents=up(params={"p2": "deep.id"}))}

    with pytest.raises(SettingsError) as caught:
        schemas(rows, None)

    assert str(caught.value) == (
        "a column that comes from the parent has no type (stream=x, column=p2, parent=up); "
        "declare p2 in the child's schema, or deep.id in the parent's"
    )
