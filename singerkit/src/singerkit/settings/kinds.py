"""The six kinds of field that settings are made of: each annotates a field of a frozen dataclass.

    port: Annotated[int, Input("Port", "Port of the server.", schema={"minimum": 1})] = 5432

Takes words for a person, and marks; gives values that the other rooms compile. What a field may hold is said by its
type, whether it may be left out by its default. Pure.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singerkit.connect.oauth import OAuthKind

InputType = Literal["text", "email", "search", "url", "password", "date", "time", "number", "textarea"]

LARGEST_FILE = 1 << 20  # bytes; a key file of a cloud is two thousand
_SOUNDS_SECRET = re.compile(r"(token|secret|password|passphrase|private_key|api_key|credential)", re.IGNORECASE)
_SOUNDS_HARMLESS = re.compile(r"(_url|_file|_path|_expires?|_lifetime|_header|_ttl)", re.IGNORECASE)


def sounds_secret(name: str) -> bool:
    """Return whether a setting of this name has to say if it is a secret."""
    return bool(_SOUNDS_SECRET.search(name)) and not _SOUNDS_HARMLESS.search(name)


@dataclass(frozen=True)
class Field:
    """What every kind has: a label, and a sentence for a person."""

    kind: ClassVar[str]
    label: str
    caption: str


@dataclass(frozen=True)
class Input(Field):
    """A value that a person writes; `secret` must be stated where the name sounds like one.

    `schema` are further JSON Schema keywords, such as bounds. A secret, and what has `from_file`, may also be given as
    the path of a file, in a setting with `_file` at the end of its name.
    """

    kind: ClassVar[str] = "input"
    _: KW_ONLY
    type: InputType = "text"
    secret: bool | None = None
    from_file: bool = False
    placeholder: str | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SwitchGroup(Field):
    """A dataclass of further settings, read only where `enabled` is true; the field is None where it is not."""

    kind: ClassVar[str] = "switch_group"


@dataclass(frozen=True)
class Select(Field):
    """One of several: the values of a Literal, or dataclasses of which each has settings of its own.

    `labels` name the values for a person. A dataclass says `option: ClassVar = Option(value, label)`; on the wire the
    value stands under the name `by`, beside the settings of the option. Settings of other options are ignored.
    """

    kind: ClassVar[str] = "select"
    _: KW_ONLY
    labels: Mapping[Any, str] = field(default_factory=dict)
    by: str = "method"


@dataclass(frozen=True)
class Option:
    """How an option that has settings of its own is written, and called."""

    value: str
    label: str


@dataclass(frozen=True)
class OAuth(Field):
    """A login of a person, by `auth login`; the type of the field is `singerkit.connect.logins.Login`.

    `scopes` are what the plugin needs, where that is not what the kind of login asks for by itself.
    """

    kind: ClassVar[str] = "oauth"
    _: KW_ONLY
    login: OAuthKind
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileUpload(Field):
    """A file: its JSON object where the type is a mapping, given by path or inline; its path where the type is Path.

    `keys` are all that the object may hold (None: anything), `needs` what it must.
    """

    kind: ClassVar[str] = "file"
    _: KW_ONLY
    keys: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    secret: bool | None = None
    max_bytes: int = LARGEST_FILE


@dataclass(frozen=True)
class SSHTunnel(SwitchGroup):
    """A bastion host; the type of the field is `singerkit.connect.bastion.SSHTunnel` or None."""

    kind: ClassVar[str] = "ssh_tunnel"
    label: str = "SSH tunnel"
    caption: str = "Reach the database through a bastion host; nothing below is read unless it is enabled."
