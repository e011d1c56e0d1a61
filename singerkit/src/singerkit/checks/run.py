"""Runs a check: step by step to the source, then each stream for itself and several at once.

Takes a tap whose settings are good; gives what was found. Refuses nothing: an error of the source is a finding.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singerkit.checks.findings import Checked, Finding, with_error_of_all
from singerkit.errors import SingerkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from singerkit.stream import ArrowStream
    from singerkit.tap import ArrowTap

    Step: TypeAlias = tuple[str, Callable[[], str]]
    """What is looked at, and the look: it says what it found, or raises what is in the way."""


def check(tap: ArrowTap, *, deep: bool = False) -> Checked:
    """Return what stands between a tap and its rows; the streams are those that the catalog selects, else all."""
    try:
        return _checked(tap, deep=deep)
    finally:
        tap.close()


def _checked(tap: ArrowTap, *, deep: bool) -> Checked:
    connection = [Finding("settings")]
    streams: list[ArrowStream] = []

    def discover() -> str:
        streams.extend(one for one in tap.arrow_streams if one.selected or not tap.input_catalog)
        return f"{len(streams)} streams" if streams else "no stream: see what the settings let through"

    for name, look in (*tap.connection_checks(), ("streams", discover)):
        try:
            connection.append(Finding(name, said=look()))
        except SingerkitError as error:
            return Checked(tap.name, [*connection, Finding.of(error, name)])
    found = _streams(tap, streams, deep=deep)
    if (everybody := next((one.error for one in found if one.error and _is_for_all(one.error)), None)) is not None:
        untried = [one if one.outcome != "bad" else Finding(one.name, "untried") for one in found]
        return Checked(tap.name, with_error_of_all(connection, everybody), untried)
    return Checked(tap.name, connection, found)


def _streams(tap: ArrowTap, streams: Sequence[ArrowStream], *, deep: bool) -> list[Finding]:
    """Return a finding for each stream, in their order; after an error that all would meet no more are tried."""
    stopped: list[SingerkitError] = []

    def look(stream: ArrowStream) -> Finding:
        tap.raise_if_stopped()
        if stopped:
            return Finding(stream.name, "untried")
        try:
            return _stream(stream, deep=deep)
        except SingerkitError as error:
            if _is_for_all(error):
                stopped.append(error)
            return Finding.of(error, stream.name)

    with ThreadPoolExecutor(tap.checks_at_once, thread_name_prefix="check") as threads:
        return list(threads.map(look, streams))


def _stream(stream: ArrowStream, *, deep: bool) -> Finding:
    said = stream.probe()
    remarks = [*filter(None, [said]), *stream.remarks()]
    numbers: dict[str, Any] = {}
    if deep:
        survey = stream.survey()
        numbers, remarks = survey.as_json(), [*remarks, *survey.remarks()]
    finding = Finding(stream.name, "remark" if remarks else "good", remarks=remarks, numbers=numbers)
    return replace(finding, said=f"{numbers['rows']:,} rows") if numbers else finding


def _is_for_all(error: SingerkitError) -> bool:
    return "stream" not in error.where
