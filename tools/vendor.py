"""What GitHub publishes of itself, and how it is fetched: by the names of npm packages, into a folder that is given.

Takes an OpenAPI description; gives paths, parameters, fields and types, with references followed. Refuses to go on
without npm.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PACKAGE = "@octokit/openapi"
DOCUMENT = "package/generated/api.github.com.json"
QUERIES = "@octokit/graphql-schema"
_SAY_FLAWS = """
import { readFileSync } from "node:fs";
import { validate } from "@octokit/graphql-schema";
const queries = JSON.parse(readFileSync(0, "utf8"));
const said = Object.entries(queries).map(([name, query]) => [name, validate(query).map((flaw) => flaw.message)]);
console.log(JSON.stringify(Object.fromEntries(said)));
"""


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
        """Return the documented schema of a record."""
        content = self.followed(operation["responses"]["200"]).get("content", {}).get("application/json", {})
        at: Mapping[str, Any] = content.get("schema", {})
        for name in [part for part in records.removeprefix("$").split(".") if part]:
            at = self.fields(at).get(name, {})
        return self.followed(at).get("items", at) if self.followed(at).get("type") == "array" else at

    def fields(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a schema and of all that it is made of; nothing of one that is no object."""
        found = {name: one for part in self.parts(schema) for name, one in self.fields(part).items()}
        return {**found, **self.followed(schema).get("properties", {})}

    def kinds(self, schema: Mapping[str, Any]) -> set[str]:
        """Return the types that a value may have, null among them."""
        schema = self.followed(schema)
        said = schema.get("type", "object" if "properties" in schema else [])
        found = {said} if isinstance(said, str) else {*said}
        null = schema.get("nullable") or None in schema.get("enum", ())
        return found.union({"null"} if null else set(), *map(self.kinds, self.parts(schema)))

    def required(self, schema: Mapping[str, Any]) -> set[str]:
        """Return the fields that are always there: of every alternative, and of all that is put together."""
        schema = self.followed(schema)
        found = {*schema.get("required", ())}.union(*map(self.required, schema.get("allOf", ())))
        others = [one for word in ("anyOf", "oneOf") for one in schema.get(word, ()) if self.kinds(one) != {"null"}]
        return found | (set.intersection(*map(self.required, others)) if others else set())

    def parts(self, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return what a schema is made of."""
        schema = self.followed(schema)
        return [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]

    def followed(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a reference leads to."""
        while "$ref" in value:
            at: Any = self.document
            for name in value["$ref"].split("/")[1:]:
                at = at[name]
            value = at
        return value


def described(folder: Path) -> Vendor:
    """Return the newest description of the REST API."""
    npm("pack", PACKAGE, "--silent", "--pack-destination", str(folder))
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        document = archive.extractfile(DOCUMENT)
        if document is None:
            raise SystemExit(f"{PACKAGE} holds no {DOCUMENT}")
        return Vendor(json.load(document))


def query_flaws(folder: Path, queries: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what the newest schema of the GraphQL API does not allow, for each query."""
    npm("install", QUERIES, "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder))
    script = folder / "validate.mjs"
    script.write_text(_SAY_FLAWS, encoding="utf-8")
    said: dict[str, list[str]] = json.loads(run(["node", str(script)], QUERIES, stdin=json.dumps(queries)))
    return said


def npm(*arguments: str) -> None:
    """Run npm; SystemExit where there is none, or where it cannot."""
    found = shutil.which("npm")
    if found is None:
        raise SystemExit("npm is needed to fetch what the vendor publishes; nothing else needs it")
    run([found, *arguments], arguments[1])


def run(command: Sequence[str], what: str, stdin: str | None = None) -> str:
    """Return what a command says; SystemExit with its last words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)
    if done.returncode:
        raise SystemExit(f"{what}: {command[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)
