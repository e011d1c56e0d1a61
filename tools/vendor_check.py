"""Holds every row of a tap to what its vendor publishes: `make vendor-check`, or `python -m tools.vendor_check`.

Takes an OpenAPI description, fetched by the name of its npm package; gives a line for each thing that the rows say and
it does not. Refuses nothing else: no test needs it, since the vendor may change its mind on any day.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singerkit.rest.schema import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singerkit.rest.endpoint import Endpoint

PACKAGE = "@octokit/openapi"
DOCUMENT = "package/generated/api.github.com.json"
_SAYS_MAXIMUM = re.compile(r"max(?:imum)?\D{0,12}(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Vendor:
    """An OpenAPI description, with its references followed."""

    document: Mapping[str, Any]

    def operation(self, path: str) -> Mapping[str, Any] | None:
        """Return what is documented of GET at a path, whatever its placeholders are called."""
        wanted = _nameless(path)
        found = (one.get("get") for at, one in self.document["paths"].items() if _nameless(at) == wanted)
        return next(found, None)

    def parameters(self, operation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the query parameters by name."""
        found = [self.followed(one) for one in operation.get("parameters", ())]
        return {one["name"]: one for one in found if one["in"] == "query"}

    def record(self, operation: Mapping[str, Any], records: str) -> Mapping[str, Any]:
        """Return the documented fields of a record, or nothing where records are no objects."""
        content = self.followed(operation["responses"]["200"]).get("content", {}).get("application/json", {})
        at: Mapping[str, Any] = content.get("schema", {})
        for name in [part for part in records.removeprefix("$").split(".") if part]:
            at = self.fields(at).get(name, {})
        return self.fields(self.followed(at).get("items", at) if self.followed(at).get("type") == "array" else at)

    def fields(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a schema and of all that it is made of."""
        schema = self.followed(schema)
        parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        found = {name: one for part in parts for name, one in self.fields(part).items()}
        return {**found, **schema.get("properties", {})}

    def followed(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a reference leads to."""
        while "$ref" in value:
            at: Any = self.document
            for name in value["$ref"].split("/")[1:]:
                at = at[name]
            value = at
        return value


def flaws(vendor: Vendor, row: Endpoint, columns: Sequence[str]) -> Iterator[str]:
    """Yield what a row and its schema say and the vendor does not."""
    operation = vendor.operation(row.path)
    if operation is None:
        yield f"path {row.path} is not documented"
        return
    yield from _parameters(vendor.parameters(operation), row)
    fields = vendor.record(operation, row.records)
    if row.columns:
        return  # its records are no objects: there are no names to compare
    for path in row.lifted.values():
        if not _leads(vendor, fields, path.split(".")):
            yield f"lifted {path} is not in the documented record"
    ours = {*row.lifted, *row.renames, *(column for parent in row.parents for column in parent.columns)}
    for name in sorted({*columns} - {*fields} - ours):
        yield f"column {name} is not in the documented record"


def _parameters(known: Mapping[str, Mapping[str, Any]], row: Endpoint) -> Iterator[str]:
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


def _leads(vendor: Vendor, fields: Mapping[str, Any], path: Sequence[str]) -> bool:
    for name in path:
        if name not in fields:
            return False
        fields = vendor.fields(fields[name])
    return True


def _nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def fetched(folder: Path) -> Vendor:
    """Return the newest description of the vendor's package; SystemExit where there is no npm, or it cannot."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch the vendor's description; nothing else needs it")
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    packed = next(folder.glob("*.tgz"), None)
    if done.returncode or packed is None:
        raise SystemExit(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    with tarfile.open(packed) as archive:
        document = archive.extractfile(DOCUMENT)
        if document is None:
            raise SystemExit(f"{PACKAGE} holds no {DOCUMENT}")
        return Vendor(json.load(document))


def main() -> None:
    """Say every flaw of tap-github's rows, and end with 1 where there is one."""
    from tap_github.tap import TapGithub

    tap = TapGithub(config={}, validate_config=False)
    with tempfile.TemporaryDirectory() as folder:
        vendor = fetched(Path(folder))
    made = schemas(tap.rows, tap.schema_folder())
    held = [row for row in tap.rows.values() if row.read is None and row.method == "GET"]
    found = [f"{row.name}: {flaw}" for row in held for flaw in flaws(vendor, row, [*made[row.name]["properties"]])]
    print("\n".join([*found, f"{len(held)} rows held to {PACKAGE} {vendor.document['info']['version']}"]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
