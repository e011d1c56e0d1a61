"""Secrets that are found again wherever they went: whole, in part, encoded, escaped, line by line."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from singerkit.settings.rows import FILE
from singerkit.settings.schema import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PIECE = 12
"""So many letters of a mark in a row are no accident, and too many to be let out."""
HEADER, FOOTER = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


def mark(name: str) -> str:
    """Return a secret with letters that every encoding writes in another way."""
    return f'{_digits(name, 1)}/p@s+ "é\\ {_digits(name, 2)}'


def key(name: str) -> str:
    """Return a secret of several lines, as private keys are."""
    return "\n".join((HEADER, _digits(name, 3) * 2, _digits(name, 4) * 2, FOOTER, ""))


def marked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration in which every secret setting of a plugin is marked, and nothing else is set."""
    config: dict[str, Any] = {}
    for path, (prop, _) in flat(schema).items():
        if prop.get("secret"):
            *groups, name = path.split(".")
            inner = config
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[name] = _value(path, prop)
    return config


def by_file(config: Mapping[str, Any], folder: Any) -> dict[str, Any]:
    """Return the configuration with its texts in files of their own."""
    moved: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, str):
            path = folder / f"{name}.secret"
            path.write_text(value, encoding="utf-8")
            moved[name + FILE] = str(path)
        else:
            moved[name] = value
    return moved


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a configuration."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def leaks(content: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the pieces of secrets that are in what a plugin said."""
    found = []
    for secret in secrets:
        for part in {secret[at : at + len(_digits("", 1))] for at in _starts(secret)}:
            found += [piece.decode() for piece in _pieces(part) if piece in content]
    return found


def _value(path: str, prop: Mapping[str, Any]) -> Any:
    kinds = [prop["type"]] if isinstance(prop["type"], str) else prop["type"]
    if "object" in kinds:
        return {"token": mark(path)}
    if "array" in kinds:
        return [mark(path), mark(f"{path}, the second")]
    if path == "connection_url":
        return address(path)
    return key(path) if prop.get("x-kind") == "textarea" else mark(path)


def address(name: str) -> str:
    """Return the address of a database that is not there, with a marked password inside."""
    from urllib.parse import quote

    return f"postgresql://ada:{quote(mark(name), safe='')}@127.0.0.1:9/shop"


def _digits(name: str, number: int) -> str:
    return hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:24]


def _starts(secret: str) -> Iterator[int]:
    """Yield where runs of digits begin: what stands between them is another text in each encoding."""
    inside = 0
    for at, letter in enumerate(secret):
        inside = inside + 1 if letter in "0123456789abcdef" else 0
        if inside == len(_digits("", 1)):
            yield at + 1 - inside


def _pieces(digits: str) -> Iterator[bytes]:
    """Yield each part of some digits, as they are and as base64 writes them behind none, one or two other letters."""
    for text in (digits, *(base64.b64encode(bytes(n) + digits.encode()).decode()[4:-4] for n in range(3))):
        yield from (text[at : at + PIECE].encode() for at in range(len(text) - PIECE + 1))
