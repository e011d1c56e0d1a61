"""Stream names as folder names: readable, inside the root, and never the same folder for two streams.

Takes any text; gives one path segment. Pure.
"""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE = 64  # characters of an unusual name that stay readable
_DIGEST = 12  # hex digits


def folder_name(stream: str) -> str:
    """Return the name itself where it is plain; else what is readable of it, `~` and a digest of the whole.

    No plain name holds a `~`. Names that differ only by case are told apart when the table is opened.
    """
    if _PLAIN.fullmatch(stream):
        return stream
    digest = hashlib.sha256(stream.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{_UNSAFE.sub('_', stream)[:_READABLE]}~{digest}"


def table_address(root: str, stream: str) -> str:
    """Return the address of a stream's table below the root."""
    return folder_address(root, folder_name(stream))


def folder_address(root: str, folder: str) -> str:
    """Return the address of a folder below the root."""
    return f"{root.rstrip('/')}/{folder}"
