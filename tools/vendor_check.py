"""Holds the rows of tap-github to what GitHub publishes: `make vendor-check`.

Takes rows and the vendor's own descriptions of its REST and GraphQL APIs; gives a line for each thing that the rows say
and those do not. Refuses nothing else: no test needs it, since the vendor may change its mind on any day.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singerkit.rest.schema import schemas
from tools.vendor import PACKAGE, QUERIES, Vendor, described, query_flaws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint

    Schema = Mapping[str, Any]

_SAYS_MAXIMUM = re.compile(r"max(?:imum)?\D{0,12}(\d+)", re.IGNORECASE)


def flaws(vendor: Vendor, row: Endpoint, columns: Schema) -> Iterator[str]:
    """Yield what a row and its columns say and the vendor does not."""
    operation = vendor.operation(row.path)
    if operation is None:
        yield f"path {row.path} is not documented"
        return
    yield from _parameters(vendor.parameters(operation), row)
    record = vendor.record(operation, row.records)
    if row.columns:
        return  # its records are no objects: there are no names to compare
    for path in row.lifted.values():
        if not _leads(vendor, record, path.split(".")):
            yield f"lifted {path} is not in the documented record"
    ours = {*row.lifted, *row.renames, *(column for parent in row.parents for column in parent.columns)}
    theirs = vendor.fields(record)
    for name in sorted(columns.keys() - theirs.keys() - ours):
        yield f"column {name} is not in the documented record"
    shared = {name: one for name, one in columns.items() if name in theirs and name not in ours}
    yield from _fields(vendor, {"properties": shared}, record, "column ")


def type_flaws(vendor: Vendor, ours: Schema, theirs: Schema, place: str) -> Iterator[str]:
    """Yield where the vendor may send what a schema of ours does not allow: null, or another type."""
    allowed, sent = Vendor({}).kinds(ours), vendor.kinds(theirs)
    if allowed and "null" in sent - allowed:
        yield f"{place} may be null"
    if allowed and (others := sorted(sent - allowed - {"null"} - ({"integer"} if "number" in allowed else set()))):
        yield f"{place} may be {' or '.join(others)}"
    yield from _fields(vendor, ours, theirs, f"{place}.")
    if "items" in ours:
        lists = [vendor.followed(one) for one in (theirs, *vendor.parts(theirs))]
        inside = next((one["items"] for one in lists if "items" in one), None)
        yield from type_flaws(vendor, ours["items"], inside, f"{place}[]") if inside else ()


def _fields(vendor: Vendor, ours: Schema, theirs: Schema, place: str) -> Iterator[str]:
    fields, always = vendor.fields(theirs), vendor.required(theirs)
    for name, one in ours.get("properties", {}).items():
        if name not in fields:
            continue  # parts of objects vary more than is documented; columns are looked at by name above
        yield from type_flaws(vendor, one, fields[name], f"{place}{name}")
        allowed = Vendor({}).kinds(one)
        if allowed and name not in always and "null" not in allowed | vendor.kinds(fields[name]):
            yield f"{place}{name} may be missing"


def _parameters(known: Mapping[str, Schema], row: Endpoint) -> Iterator[str]:
    mark = row.bookmarks[0] if row.bookmarks else None
    asked = {**row.params, **(mark.params if mark else {})}
    ours = (row.pages.size_param, mark.param if mark else None, mark.until_param if mark else None)
    names = {*asked, *(name for name in ours if name)}
    for name in sorted(names - {*known}):
        yield f"parameter {name} is not documented"
    for name, value in asked.items():
        choices = known.get(name, {}).get("schema", {}).get("enum")
        if choices and value not in choices:
            yield f"parameter {name} may not be {value}: {', '.join(map(str, choices))}"
    size = known.get(row.pages.size_param or "", {})
    most = size.get("schema", {}).get("maximum") or next(iter(_SAYS_MAXIMUM.findall(size.get("description", ""))), None)
    if most and row.pages.size > int(most):
        yield f"page size {row.pages.size} is above the documented {most}"


def _leads(vendor: Vendor, record: Schema, path: Sequence[str]) -> bool:
    for name in path:
        if name not in (fields := vendor.fields(record)):
            return False
        record = fields[name]
    return True


def asked(rows: Sequence[Endpoint]) -> Iterator[Endpoint]:
    """Yield the rows that ask the REST API, those too that ask it for the rest of a list inside of a record."""
    for row in rows:
        if row.read is None and row.method == "GET":
            yield row
        elif row.inside and row.inside.rest:
            there = replace(row, method="GET", path=row.inside.rest, pages=row.inside.pages, records="$", bookmarks=())
            yield replace(there, lifted={}, renames={**row.lifted, **row.inside.lifted})


def main() -> None:
    """Say every flaw of tap-github's rows, and end with 1 where there is one."""
    from tap_github.tap import TapGithub

    tap = TapGithub(config={}, validate_config=False)
    made = schemas(tap.rows, tap.schema_folder())
    held = [*asked([*tap.rows.values()])]
    queries = {row.name: row.body["query"] for row in tap.rows.values() if row.method == "POST"}
    with tempfile.TemporaryDirectory() as folder:
        vendor, said = described(Path(folder)), query_flaws(Path(folder), queries)
    found = [f"{row.name}: {flaw}" for row in held for flaw in flaws(vendor, row, made[row.name]["properties"])]
    found += [f"{name}: {flaw}" for name, flaws_ in said.items() for flaw in flaws_]
    version = vendor.document["info"]["version"]
    print("\n".join([*found, f"{len(held)} rows held to {PACKAGE} {version}, {len(said)} queries to {QUERIES}"]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
