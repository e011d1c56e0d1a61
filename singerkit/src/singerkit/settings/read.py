"""A configuration becomes the frozen value of its settings class, or all that is wrong with it at once.

Takes a settings class, a configuration and the rule for files; gives a Reading. Prints no value, and refuses names that
it does not know. Texts of the environment are coerced here, in the one place that every value passes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_args, get_origin

from singerkit.errors import SettingsError
from singerkit.settings import words
from singerkit.settings.files import FileRefusedError, Files
from singerkit.settings.kinds import LARGEST_FILE, FileUpload, Select, sounds_secret
from singerkit.settings.rows import ENABLED, MISSING, Row, rows
from singerkit.settings.schema import flat, json_value, property_of, settings_schema
from singerkit.settings.secrets import named_secrets, passwords_in
from singerkit.settings.texts import typed

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What a configuration says. `value` is whole only where there are no errors; `config` is it as plain JSON."""

    value: T = field(repr=False)
    errors: tuple[str, ...]
    secrets: frozenset[str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)


def checked(settings: type[T], config: Mapping[str, Any]) -> T:
    """Return the value of a configuration, or raise all that is wrong with it."""
    reading = read(settings, config, Files.of_environment())
    if reading.errors:
        raise SettingsError("the settings cannot be used: " + "; ".join(reading.errors))
    return reading.value


def read(
    settings: type[T],
    config: Mapping[str, Any],
    files: Files | None = None,
    beside: Mapping[str, Mapping[str, Any]] | None = None,
) -> Reading[T]:
    """Return what a configuration says, with its defaults; `beside` are schemas of settings that the shell reads.

    Where a value is wrong or missing, its default stands in the value, or None: good for looking, not for a run.
    """
    reader, others = _Reader(files or Files()), beside or {}
    found = rows(settings)
    reader.secrets |= {*_marked(settings_schema(settings), config)}
    shell = {name: typed(config[name], prop) for name, prop in others.items() if name in config}
    plain = reader.prepared(found, {name: value for name, value in config.items() if name not in others}, "")
    value = reader.built(settings, found, plain, "")
    for name, said in shell.items():
        reader.errors += words.broken(said, others[name], name) if said is not None else ()
    whole = {name: said for name, said in {**shell, **plain}.items() if said is not None and said is not _UNREAD}
    return Reading(cast("T", value), tuple(reader.errors), frozenset(reader.secrets), whole)


class _Reader:
    """Collects errors and secrets on its way down. Each object is prepared (names, files, texts), then built."""

    def __init__(self, files: Files) -> None:
        self.errors: list[str] = []
        self.secrets: set[str] = set()
        self._files = files

    def prepared(self, found: Sequence[Row], given: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Return the values of one object by the names of its rows: files are read, texts are coerced, defaults set."""
        known = {name for row in found for name in (row.name, row.file_name) if name}
        for name in sorted(set(given) - known):
            self.errors.append(words.unknown(path + name, known))
            self.secrets |= {*_texts(given[name])} if sounds_secret(name) else set()
        return {row.name: self._plain(row, given, path) for row in found}

    def built(self, settings: type, found: Sequence[Row], plain: Mapping[str, Any], path: str) -> Any:
        """Return the frozen value of one object, after its own rules were asked what else is wrong."""
        values = {row.name: self._value(row, plain[row.name], path + row.name) for row in found}
        if missing := words.missing_group(plain, getattr(settings, "groups", ())):
            self.errors.append(path + missing)
        rules = getattr(settings, "problems", None)
        if rules is not None and _UNREAD not in plain.values():
            self.errors += [path + problem for problem in rules(values)]
        return settings(**values)

    def _plain(self, row: Row, given: Mapping[str, Any], path: str) -> Any:
        prop = property_of(row)
        value = typed(given.get(row.name), prop)
        if row.file_name and (written := typed(given.get(row.file_name), {"type": "string"})) is not None:
            value = self._of_file(row, value, written, path)
        if value is None and not row.required:
            value = json_value(row.default) if not dataclasses.is_dataclass(row.default) else {}
        self.secrets |= {text for one in _texts(value) for text in ([one] if row.secret else passwords_in(one))}
        self.secrets |= {*named_secrets(value)}
        return value

    def _of_file(self, row: Row, value: Any, written: Any, path: str) -> Any:
        """Return the value that a file holds, without the end of its last line."""
        if value is not None:
            self.errors.append(f"{path}{row.name}: give it or {row.file_name}, not both")
            return value
        try:
            text = self._files.text(str(written), LARGEST_FILE)
        except FileRefusedError as error:
            self.errors.append(f"{path}{row.file_name}: {error}")
            return _UNREAD
        return typed(text, property_of(row))

    def _value(self, row: Row, plain: Any, path: str) -> Any:
        """Return the value of one setting; where it is wrong, that is noted and its default is returned."""
        if plain is _UNREAD:
            return _fallback(row)
        if plain is None:
            if row.required:
                self.errors.append(f"{path}: missing")
            return _fallback(row)
        if row.options or row.group:
            return self._object(row, plain, path)
        if errors := [*words.broken(plain, property_of(row), path)]:
            self.errors += errors
            return _fallback(row)
        return self._converted(row, plain, path)

    def _object(self, row: Row, plain: Any, path: str) -> Any:
        """Return the value of a group or of the chosen option."""
        if not isinstance(plain, Mapping):
            self.errors.append(f"{path}: must be an object")
            return _fallback(row)
        given = dict(plain)
        group = row.group or self._chosen(row, given, path)
        if row.switched and not self._is_on(row, given, path):
            return None
        if group is None:
            return _fallback(row)
        found = rows(group, row.default)
        return self.built(group, found, self.prepared(found, given, f"{path}."), f"{path}.")

    def _is_on(self, row: Row, given: dict[str, Any], path: str) -> bool:
        """Return whether a group is enabled; nothing in it is looked at where it is not."""
        prop = {"type": ["boolean", "null"]}
        said = typed(given.pop(ENABLED, None), prop)
        self.errors += words.broken(said, prop, f"{path}.{ENABLED}")
        return said is True or (said is None and not row.required and row.default is not None)

    def _chosen(self, row: Row, given: dict[str, Any], path: str) -> type | None:
        """Return the option that is chosen, and leave out of `given` what belongs to the others."""
        assert isinstance(row.field, Select)  # noqa: S101  # only a Select has options
        by, options = row.field.by, row.options
        value = typed(given.pop(by, None), {"type": ["string", "null"], "enum": [*options]})
        option = type(row.default) if value is None and not row.required else options.get(value)
        if option is None or not dataclasses.is_dataclass(option):
            wish = "missing" if value is None else f"must be {' or '.join(options)}"
            self.errors.append(f"{path}.{by}: {wish}")
            return None
        of_option = {name: _names(kind) for name, kind in options.items()}
        others = set().union(*of_option.values()) - _names(option)
        for name in others & set(given):
            del given[name]
        return option

    def _converted(self, row: Row, plain: Any, path: str) -> Any:
        """Return a checked value as the type of its field."""
        try:
            if isinstance(row.field, FileUpload) and row.types[0] is not Path:
                return self._uploaded(row, row.field, plain, path)
            if Path in row.types:
                return self._files.path(plain)
        except FileRefusedError as error:
            self.errors.append(f"{path}: {error}")
            return _fallback(row)
        if datetime in row.types:
            return _aware(plain)
        texts = any(get_origin(kind) is Mapping and get_args(kind)[1] is str for kind in row.types)
        if texts and isinstance(plain, Mapping):
            return {name: _written(value) for name, value in plain.items() if value is not None}
        return tuple(plain) if any(get_origin(kind) is tuple for kind in row.types) else plain

    def _uploaded(self, row: Row, kind: FileUpload, plain: Any, path: str) -> Any:
        """Return the JSON object that was given inline, or by the path of a file."""
        found = plain
        if isinstance(plain, str):
            try:
                found = json.loads(self._files.text(plain, kind.max_bytes))
            except FileRefusedError:
                raise
            except ValueError:
                raise FileRefusedError("must be a file of JSON") from None
        if not isinstance(found, dict):
            raise FileRefusedError("must be a file that holds a JSON object")
        if row.secret:
            self.secrets |= set(_texts(found))
        self.errors += _key_errors(kind, found, path)
        return found


_UNREAD = object()
"""In the place of a value that was in a file which could not be read: it is neither there nor missing."""


def _marked(schema: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of all secret settings, also of a group that is off or an option that is not chosen."""
    for path, (prop, _) in flat(schema).items():
        if prop.get("secret"):
            value: Any = config
            for name in path.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            yield from _texts(value)


def _names(settings: type) -> set[str]:
    return {name for row in rows(settings) for name in (row.name, row.file_name) if name}


def _fallback(row: Row) -> Any:
    return None if row.default is MISSING else row.default


def _key_errors(kind: FileUpload, found: Mapping[str, Any], path: str) -> list[str]:
    known = set(found) if kind.keys is None else {*kind.keys, *kind.needs}
    unknown = [words.unknown(f"{path}.{name}", known) for name in sorted(set(found) - known)]
    return [*unknown, *(f"{path}.{name}: missing" for name in kind.needs if found.get(name) in (None, ""))]


def _texts(value: Any) -> list[str]:
    """Return the texts in a secret value: it, or what stands in it."""
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return [] if value is None or value is _UNREAD or isinstance(value, bool) else [str(value)]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
