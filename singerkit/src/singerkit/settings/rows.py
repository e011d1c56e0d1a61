"""One row a field: what a settings class says by its annotations, as values that are easy to walk.

Takes a frozen dataclass; gives rows. Refuses, as a mistake in the code, a field without a kind. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeGuard,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from singerkit.settings.kinds import Field, FileUpload, Input, OAuth, Option, Select, SwitchGroup, sounds_secret

T = TypeVar("T")

MISSING = dataclasses.MISSING
FILE = "_file"
ENABLED = "enabled"
TEXTUAL = (str, datetime, Path)
"""Types whose values are texts on the wire."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def settings(cls: type[T]) -> type[T]:
    """Make a settings class: a frozen dataclass whose fields have kinds, and whose `repr` masks secrets."""
    made = dataclass(frozen=True, kw_only=True, repr=False)(cls)
    made.__repr__ = _repr  # type: ignore[method-assign]
    return made


@dataclass(frozen=True)
class Row:
    """One setting: `types` are what its value may be beside None; `default` is MISSING where it is required."""

    name: str
    field: Field
    types: tuple[Any, ...]
    default: Any

    @property
    def required(self) -> bool:
        """Whether a configuration must hold it."""
        return self.default is MISSING

    @property
    def secret(self) -> bool:
        """Whether its value may never be shown."""
        return bool(getattr(self.field, "secret", False)) or getattr(self.field, "type", None) == "password"

    @property
    def file_name(self) -> str | None:
        """The name of the setting that gives the value by the path of a file, or None where there is none."""
        by_file = isinstance(self.field, Input) and (self.secret or self.field.from_file)
        return self.name + FILE if by_file else None

    @property
    def options(self) -> Mapping[str, type]:
        """The dataclasses to choose from, by the value that chooses them; empty for any other kind."""
        if not isinstance(self.field, Select):
            return {}
        return {_option(kind).value: kind for kind in self.types if is_settings(kind)}

    @property
    def group(self) -> type | None:
        """The dataclass of the settings below this one, or None where it is not one group."""
        inner = self.types[0]
        return inner if is_settings(inner) and not self.options else None

    @property
    def switched(self) -> bool:
        """Whether the group is read only where it is enabled."""
        return isinstance(self.field, SwitchGroup)


def rows(settings: type, defaults: object = None) -> tuple[Row, ...]:
    """Return the rows of a settings class, its own before those that it inherits.

    `defaults` is a value of the class, whose fields are the defaults then.
    """
    found: tuple[Row, ...] = _rows(settings)
    if isinstance(defaults, settings):
        return tuple(dataclasses.replace(row, default=getattr(defaults, row.name)) for row in found)
    return found


@cache
def _rows(settings: Any) -> tuple[Row, ...]:
    hints = get_type_hints(settings, include_extras=True)
    found = {one.name: _row(settings, one, hints[one.name]) for one in dataclasses.fields(settings)}
    own_first = dict.fromkeys(name for cls in settings.__mro__ for name in vars(cls).get("__annotations__", ()))
    return tuple(found[name] for name in own_first if name in found)


def is_settings(kind: Any) -> TypeGuard[type]:
    """Return whether a type holds settings of its own."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def has_login(settings: type) -> bool:
    """Return whether one of the settings is a login, also in a group or an option."""
    return any(
        isinstance(row.field, OAuth) or any(is_settings(kind) and has_login(kind) for kind in row.types)
        for row in rows(settings)
    )


def choices(kind: Any) -> tuple[Any, ...]:
    """Return the values of a Literal, or nothing for another type."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def label_of(option: type) -> str:
    """Return what an option with settings of its own is called."""
    return _option(option).label


def members(kind: Any) -> tuple[Any, ...]:
    """Return the types that a union is made of, without None."""
    parts = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    return tuple(part for part in parts if part is not NoneType)


def _row(settings: type, one: dataclasses.Field[Any], hint: Any) -> Row:
    where = f"{settings.__name__}.{one.name}"
    kind = next((part for part in get_args(hint)[1:] if isinstance(part, Field)), None)
    if get_origin(hint) is not Annotated or kind is None:
        raise TypeError(f"{where} says no kind of field: write Annotated[..., Input(...)]")
    default = one.default_factory() if one.default_factory is not MISSING else one.default
    row = Row(one.name, kind, members(get_args(hint)[0]), default)
    if isinstance(kind, Input | FileUpload) and kind.secret is None and not row.secret and _holds_text(row):
        _refuse_unstated(where, one.name)
    return row


def _refuse_unstated(where: str, name: str) -> None:
    if sounds_secret(name):
        raise TypeError(f"{where} sounds like a secret: state secret=True or secret=False")


def _holds_text(row: Row) -> bool:
    return any(kind is str or get_origin(kind) is Mapping for kind in row.types)


def _option(kind: type) -> Option:
    option = getattr(kind, "option", None)
    if not isinstance(option, Option):
        raise TypeError(f"{kind.__name__} is an option of a Select: write option: ClassVar = Option(value, label)")
    return option


def _repr(self: Any) -> str:
    values = ((row, getattr(self, row.name)) for row in rows(type(self)))
    shown = (f"{row.name}={'***' if row.secret and value else repr(value)}" for row, value in values)
    return f"{type(self).__name__}({', '.join(shown)})"
