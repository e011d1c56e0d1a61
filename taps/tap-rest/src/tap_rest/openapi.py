"""`tap-rest import-openapi FILE`: rows from an OpenAPI document, with the place in it as the evidence.

Takes OpenAPI 3 or Swagger 2 as data; gives proposals. Refuses what is no such document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from tap_rest import evidence
from tap_rest.proposal import Proposal
from tap_rest.sizes import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DEPTH = 6  # how deep a schema is followed: some describe themselves
_ENVELOPES = 2  # how deep the list of records is looked for
_KEPT = ("type", "format", "description", "enum", "properties", "items")


@dataclass(frozen=True)
class Document:
    """An OpenAPI document and the way through its references."""

    data: Mapping[str, Any]

    @property
    def base_url(self) -> str:
        """The first server's address, or that of Swagger 2."""
        if servers := self.data.get("servers"):
            return str(servers[0]["url"])
        scheme = (self.data.get("schemes") or ["https"])[0]
        return f"{scheme}://{self.data.get('host', 'api.example.com')}{self.data.get('basePath', '')}"

    def resolved(self, node: Any) -> Any:
        """Return what a reference points to; one that leads to itself, or out of the document, is refused."""
        passed: list[str] = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in passed:
                raise SettingsError("a reference of the document leads to itself", at=node["$ref"])
            passed.append(node["$ref"])
            node = self._at(node["$ref"])
        return node

    def _at(self, reference: str) -> Any:
        found: Any = self.data
        for name in reference.removeprefix("#/").split("/"):
            step = name.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or step not in found:
                remedy = "bundle the document into one file, or correct the reference"
                raise SettingsError("a reference of the document leads nowhere", at=reference, remedy=remedy)
            found = found[step]
        return found

    def parts(self, node: Any, depth: int = 0) -> dict[str, Any]:
        """Return the properties of a schema, those of the schemas it is made of too."""
        node = self.resolved(node) or {}
        found: dict[str, Any] = {}
        for part in node.get("allOf", ()) if depth < _DEPTH else ():
            found |= self.parts(part, depth + 1)
        found |= node.get("properties", {})
        return found

    def schema(self, node: Any, depth: int = 0) -> dict[str, Any]:
        """Return a schema without references; what may be null says so."""
        node = self.resolved(node) or {}
        if "allOf" in node:
            node = {"type": "object", **node, "properties": self.parts(node)}
        made = {word: node[word] for word in _KEPT if word in node}
        kind = made.get("type", "object" if "properties" in made else None)
        if kind:
            made["type"] = [*dict.fromkeys([kind] if isinstance(kind, str) else kind), "null"]
        if depth >= _DEPTH:
            return {word: value for word, value in made.items() if word not in {"properties", "items"}}
        if "properties" in made:
            made["properties"] = {name: self.schema(p, depth + 1) for name, p in made["properties"].items()}
        if "items" in made:
            made["items"] = self.schema(made["items"], depth + 1)
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
        return made


def proposals(data: Any) -> tuple[str, list[Proposal]]:
    """Return the base address and a row for each GET that answers with a list of objects."""
    if not isinstance(data, dict) or not ({"openapi", "swagger"} & data.keys()) or "paths" not in data:
        raise SettingsError("this is no OpenAPI document", remedy="give a file with `openapi` or `swagger` and `paths`")
    document = Document(data)
    found = {path: one for path, item in data["paths"].items() if (one := _row(document, path, item))}
    _adopt(found)
    return document.base_url, list(found.values())


def _row(document: Document, path: str, item: Mapping[str, Any]) -> Proposal | None:
    operation = item.get("get")
    if not operation:
        return None
    body = _answer(document, operation)
    where = next(_arrays(document, body, "$", 0), None)
    if where is None:
        return None
    records, schema = where
    fixed = [part for part in path.split("/") if part and not part.startswith("{")]
    proposal = Proposal({"name": "_".join(fixed).replace("-", "_") or "records", "path": path})
    proposal.say("records", records, f"an array of objects in the answer of GET {path}")
    _keys(proposal, schema)
    parameters = [document.resolved(one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    query = {one["name"]: one for one in parameters if one.get("in") == "query"}
    _pages(proposal, document, body, query)
    _bookmark(proposal, schema, set(query))
    if text := operation.get("summary"):
        proposal.row["description"] = text
    proposal.say("schema", {"properties": schema.get("properties", {})}, "from the document")
    return proposal


def _answer(document: Document, operation: Mapping[str, Any]) -> Any:
    answers = operation.get("responses", {})
    good = document.resolved(answers.get("200") or answers.get(200) or answers.get("default") or {})
    content = good.get("content", {})
    media: Mapping[str, Any] = content.get("application/json") or next(iter(content.values()), {})
    return document.resolved(media.get("schema") or good.get("schema") or {})


def _arrays(document: Document, node: Any, path: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    node = document.resolved(node) or {}
    if node.get("type") == "array":
        items = document.schema(node.get("items"))
        if "properties" in items:
            yield path, items
    elif depth < _ENVELOPES:
        for name, inner in document.parts(node).items():
            yield from _arrays(document, inner, f"{path}.{name}", depth + 1)


def _keys(proposal: Proposal, schema: Mapping[str, Any]) -> None:
    names = [name for name in ("id", "uuid", "guid", "key", "code", "slug") if name in schema["properties"]]
    if names:
        proposal.say("keys", names[:1], f"a property {names[0]}")
        kinds = schema["properties"][names[0]].get("type", [])
        schema["properties"][names[0]]["type"] = [kind for kind in kinds if kind != "null"]
    else:
        proposal.notes.append("keys: no property has a key's name; without keys rows are appended")


def _sized(document: Document, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of the page size; a documented maximum is asked for, fewer requests being kinder."""
    name = next((name for name in NAMES if name in query), None)
    if name is None:
        return {}
    most = document.resolved(query[name].get("schema", query[name])).get("maximum")
    return {"size_param": name, **({"size": most, "max_size": most} if isinstance(most, int) and most > 0 else {})}


def _pages(proposal: Proposal, document: Document, body: Any, query: Mapping[str, Any]) -> None:
    sized = _sized(document, query)
    answer = sorted(document.parts(body))
    token = next((name for name in answer if re.search(r"next|cursor", name, re.IGNORECASE)), None)
    cursor = next((name for name in evidence.CURSORS if name in query), None)
    if cursor and token:
        words = {"style": "cursor", "param": cursor, "path": token, **sized}
        proposal.say("pages", words, f"parameter {cursor} and property {token}")
    elif "offset" in query:
        proposal.say("pages", {"style": "offset", **sized}, "parameter offset")
    elif "page" in query:
        proposal.say("pages", {"style": "page_number", **sized}, "parameter page")
    elif token:
        proposal.say("pages", {"style": "next_url", "path": token, **sized}, f"property {token}")
    else:
        proposal.notes.append("pages: no parameter of a page style is documented; all records on one page")


def _bookmark(proposal: Proposal, schema: Mapping[str, Any], query: set[str]) -> None:
    """Propose a bookmark only where both a filter and a field of the same moment are documented."""
    moments = [n for n, p in schema["properties"].items() if p.get("format") in {"date-time", "date"}]
    fields = [name for name in moments if re.search(r"updat|modif", name, re.IGNORECASE)]
    for name in fields:
        param = next(
            (f.replace("{field}", name) for f in evidence.FILTERS if f.replace("{field}", name) in query), None
        )
        if param and re.search(r"updat|modif|since", param):
            proposal.say("bookmarks", [{"field": name, "param": param}], f"parameter {param} and property {name}")
            return
    proposal.notes.append("bookmarks: no filter with a field of its own is documented: FULL_TABLE")


def _adopt(found: dict[str, Proposal]) -> None:
    """Give each row with placeholders the parent whose path it continues."""
    for path, child in found.items():
        if not (places := re.findall(r"\{(\w+)\}", path)):
            continue
        above = path[: path.rindex("{" + places[-1] + "}")].rstrip("/")
        parent = found.get(above) or found.get(above + "/")
        if parent is None or not parent.row.get("keys"):
            child.notes.append(f"parents: {{{places[-1]}}} must come from a parent or a setting; none was found")
            continue
        key = parent.row["keys"][0]
        params = {places[-1]: key, **{place: place for place in places[:-1]}}
        child.say("parents", [{"stream": parent.row["name"], "params": params}], f"{above} lists what {path} asks for")
        child.row["keys"] = [*places, *child.row.get("keys", [])]
