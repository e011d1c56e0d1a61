"""Stream names as folders: readable, inside the root, and never one folder for two streams.

Takes any name and a template; gives a path below the root. Pure. Refuses a template that asks for more than a name has.
"""

from __future__ import annotations

import hashlib
import re

from singerkit.errors import SettingsError

DEPTH = 4  # segments that a template may have: as deep a warehouse is searched for tables
DEFAULT = "{stream}"
_PLACE = r"\{(?:stream|schema|table)\}"
_SEGMENT = rf"(?:[A-Za-z0-9]|{_PLACE})(?:[A-Za-z0-9_.-]|{_PLACE})*"
TEMPLATE = rf"^{_SEGMENT}(?:/{_SEGMENT}){{0,{DEPTH - 1}}}$(?!\n)"
"""What a template is, as a regular expression; `$` alone would let a line end follow."""

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE = 64  # characters of an unusual name that stay readable
_DIGEST = 12  # hex digits
_ENCODED = re.compile(rf"[A-Za-z0-9_-]*~[0-9a-f]{{{_DIGEST}}}")


def folder_name(stream: str) -> str:
    """Return the name itself where it is plain; else what is readable of it, `~` and a digest of the whole.

    No plain name holds a `~`. Names that differ only by case are told apart when the table is opened.
    """
    if _PLAIN.fullmatch(stream):
        return stream
    digest = hashlib.sha256(stream.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{_UNSAFE.sub('_', stream)[:_READABLE]}~{digest}"


def is_encoded(folder: str) -> bool:
    """Return whether a folder has a name that `folder_name` made of an unusual one: it may begin with `_`."""
    return _ENCODED.fullmatch(folder) is not None


def table_folder(stream: str, template: str = DEFAULT) -> str:
    """Return the folder of a stream's table below the root: each segment of the template filled in, then encoded.

    `{schema}` is what stands before the first `-` of the name, `{table}` what stands behind it.
    """
    schema, _, table = stream.partition("-")
    if not (schema and table) and ("{schema}" in template or "{table}" in template):
        raise SettingsError(
            "the template of the table's path asks for more than the stream's name has: <schema>-<table>",
            remedy='give the stream a template of its own, as in table_path: {"<stream>": "{stream}"}',
            stream=stream, table_path=template,
        )  # fmt: skip
    words = {"stream": stream, "schema": schema, "table": table}
    return "/".join(folder_name(segment.format_map(words)) for segment in template.split("/"))


def table_address(root: str, stream: str, template: str = DEFAULT) -> str:
    """Return the address of a stream's table below the root."""
    return folder_address(root, table_folder(stream, template))


def folder_address(root: str, folder: str) -> str:
    """Return the address of a folder below the root."""
    return f"{root.rstrip('/')}/{folder}"


class Folders:
    """The folders of a run's streams: none is another's, and none lies inside another's."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        """A stream whose folder lies below, by the folders above."""

    def take(self, stream: str, folder: str) -> str:
        """Return the folder, which is the stream's from now on; two streams that cannot have theirs end the run."""
        pieces = folder.split("/")
        above = ["/".join(pieces[:length]) for length in range(1, len(pieces))]
        owners = (self._owners.get(one) for one in [folder, *above])
        other = next(filter(None, owners), None) or self._inside.get(folder)
        if other is not None and other != stream:
            raise SettingsError(
                "two streams would have one folder, or one inside the other's",
                remedy="let table_path tell them apart, with {stream} for example",
                stream=stream, other=other, folder=folder,
            )  # fmt: skip
        self._owners[folder] = stream
        self._inside |= dict.fromkeys(above, stream)
        return folder
