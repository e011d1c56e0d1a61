"""JSON Schema's ways of saying one thing -> a plain list of alternatives, one JSON type each.

Takes a node and the document that its `$ref` point into; gives nodes without `$ref`, `anyOf`, `oneOf`, `allOf` and
null. Refuses a `$ref` that leaves the document or leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from singerkit.errors import SafetyStopError

Node = Mapping[str, Any]
Branch = Node | bool  # `true` allows anything; a `false` property is never there
Seen = frozenset[str]  # the `$ref` that led to a node

ANY: Node = {"type": "any"}
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}


def alternatives(node: Branch, document: Node, seen: Seen = frozenset()) -> list[tuple[Node, Seen]]:
    """Return what the node allows beside null: nodes with one `type` each, or ANY where nothing is said.

    With each comes what was followed to reach it. A node that refers to itself is ANY at the second turn: no column
    type is endless.
    """
    if isinstance(node, bool):
        return [(ANY, seen)]
    if not isinstance(node, Mapping):
        raise _no_schema(node)
    if "$ref" in node:
        return _referred(node, document, seen)
    if node.get("allOf"):
        return alternatives(_merged(node, document, seen), document, seen)
    for choice in ("anyOf", "oneOf"):
        if branches := _listed(node, choice):
            rest = {key: value for key, value in node.items() if key not in {choice, "type"}}
            return [one for branch in branches for one in alternatives(_over(rest, branch), document, seen)]
    return [({**node, "type": name}, seen) for name in _types(node) if name != "null"]


def resolve(reference: str, document: Node) -> Branch:
    """Return what a `$ref` inside the document points at (RFC 6901)."""
    target: Any = document
    for part in reference.removeprefix("#").split("/")[1:]:
        target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    if not reference.startswith("#") or not isinstance(target, Mapping | bool):
        raise SafetyStopError(
            "a $ref of the SCHEMA cannot be followed",
            remedy="let the tap write the definition into the schema itself",
            ref=reference,
        )
    return target


def _referred(node: Node, document: Node, seen: Seen) -> list[tuple[Node, Seen]]:
    reference = str(node["$ref"])
    if reference in seen:
        return [(ANY, seen)]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    target = resolve(reference, document)
    return alternatives(_over(beside, target), document, seen | {reference})


def _over(beside: Node, branch: Branch) -> Branch:
    """Return the branch with what stands beside it; the branch's own words win."""
    if isinstance(branch, bool):
        return branch
    if not isinstance(branch, Mapping):
        raise _no_schema(branch)
    return {**beside, **branch}


def _listed(node: Node, word: str) -> Sequence[Any]:
    """Return what stands under a word that must be a list."""
    found = node.get(word) or ()
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise _no_schema(found)
    return found


def _no_schema(found: object) -> SafetyStopError:
    return SafetyStopError(
        "the SCHEMA holds what is no JSON Schema",
        remedy="correct the tap",
        found=type(found).__name__,
    )


def _merged(node: Node, document: Node, seen: Seen) -> Node:
    """Return one node that says what all branches of `allOf` say; the last word on a keyword wins."""
    merged: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for branch in [*_listed(node, "allOf"), {key: value for key, value in node.items() if key != "allOf"}]:
        reference = branch.get("$ref") if isinstance(branch, Mapping) else None
        if reference in seen:
            continue
        said = resolve(reference, document) if reference else branch
        if isinstance(said, Mapping):
            properties |= inner if isinstance(inner := said.get("properties"), Mapping) else {}
            merged |= said
    return {**merged, "properties": properties} if properties else merged


def _types(node: Node) -> list[str]:
    """Return the JSON types that a node names, or those that its other words imply."""
    named = node.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, Sequence) and named:
        return [str(name) for name in named]
    values = [node["const"]] if "const" in node else _listed(node, "enum")
    if values:
        return list(dict.fromkeys(_JSON_TYPES.get(type(value), "null") for value in values))
    if node.get("properties"):
        return ["object"]
    return ["array"] if "items" in node else ["any"]
