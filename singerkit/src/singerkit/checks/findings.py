"""What a check found, as values: a tick list for a person, JSON for a program, an exit code for a scheduler. Pure.

Takes findings; gives text and JSON. Refuses to call a credential bad that may read at least one stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from singerkit.errors import CredentialsError, SettingsError, SingerkitError, StreamsFailedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Outcome = Literal["good", "remark", "bad", "untried"]

MARKS: Mapping[Outcome, str] = {"good": "✓", "remark": "!", "bad": "✗", "untried": "-"}
PLAIN_MARKS: Mapping[Outcome, str] = {"good": "ok", "remark": "!!", "bad": "no", "untried": "--"}
"""For terminals that know only ASCII."""

_STEP_OF: Mapping[type[SingerkitError], str] = {
    SettingsError: "settings",
    CredentialsError: "credentials",
    UnavailableError: "network",
}


@dataclass(frozen=True)
class Finding:
    """One line of a tick list: a step of the connection, or a stream."""

    name: str
    outcome: Outcome = "good"
    said: str = ""
    remedy: str = ""
    """What gives the right that is missing: a scope and where it is granted, or SQL."""
    remarks: Sequence[str] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    error: SingerkitError | None = None

    @classmethod
    def of(cls, error: SingerkitError, name: str) -> Finding:
        """Return the finding that an error is; the facts of the error stay, the stream's name stands before them."""
        facts = ", ".join(f"{fact}={value}" for fact, value in error.where.items() if value and fact != "stream")
        said = f"{error.what} ({facts})" if facts else error.what
        return cls(name, "bad", " ".join(said.split()), " ".join(error.remedy.split()), error=error)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON, without what it does not say."""
        kind = type(self.error).__name__.removesuffix("Error") if self.error else ""
        parts = {"error": kind, "said": self.said, "remedy": self.remedy, "remarks": list(self.remarks)}
        return {"name": self.name, "outcome": self.outcome} | {n: v for n, v in parts.items() if v} | {**self.numbers}


@dataclass(frozen=True)
class Checked:
    """What one check of a plugin found."""

    plugin: str
    connection: Sequence[Finding]
    streams: Sequence[Finding] = ()

    @property
    def readable(self) -> int:
        """How many streams can be read."""
        return sum(one.outcome in {"good", "remark"} for one in self.streams)

    @property
    def exit_code(self) -> int:
        """0 where something can be read: a credential with some of its rights is good for the streams it opens."""
        failed = next((one.error for one in self.connection if one.error), None)
        if failed is None and self.streams and not self.readable:
            errors = [one.error for one in self.streams if one.error]
            same = len({type(error) for error in errors}) == 1
            return errors[0].exit_code if same else StreamsFailedError.exit_code
        return failed.exit_code if failed else 0

    def as_json(self) -> dict[str, Any]:
        """Return everything as one JSON object."""
        return {
            "plugin": self.plugin,
            "good": self.exit_code == 0,
            "connection": [one.as_json() for one in self.connection],
            "streams": [one.as_json() for one in self.streams],
        }

    def lines(self, marks: Mapping[Outcome, str] = MARKS) -> Iterator[str]:
        """Yield the tick list."""
        yield self.plugin
        yield from _lines(self.connection, marks)
        if self.streams:
            yield f"streams: {self.readable} of {len(self.streams)} can be read"
            yield from _lines(self.streams, marks)


def with_error_of_all(connection: Sequence[Finding], error: SingerkitError) -> list[Finding]:
    """Return the connection's findings where a stream met what every stream would meet, a refused credential say."""
    kind = next((kind for kind in _STEP_OF if isinstance(error, kind)), None)
    name = _STEP_OF[kind] if kind else "source"
    bad = Finding.of(error, name)
    if not any(one.name == name for one in connection):
        return [*connection, bad]
    return [bad if one.name == name else one for one in connection]


def _lines(findings: Sequence[Finding], marks: Mapping[Outcome, str]) -> Iterator[str]:
    width = max((len(one.name) for one in findings), default=0)
    wide = max(map(len, marks.values()))
    for one in findings:
        said = "; ".join(filter(None, [one.said, one.remedy]))
        yield f"  {marks[one.outcome]:{wide}} {one.name:{width}}  {said}".rstrip()
        for remark in one.remarks:
            yield f"  {'':{wide}} {'':{width}}  {remark}"
