"""The verbs of upkeep as commands: which tables, what is asked, and how the answer is written.

Takes a configuration and options; gives a table on a terminal, a JSON object a line in a pipe. Each verb's room says
what it does.
"""

from __future__ import annotations

import functools
import sys
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singerkit.verbs import Given
    from target_delta.settings import Settings
    from target_delta.upkeep.show import Row
    from target_delta.upkeep.tables import Found


_CONFIG = f"{__name__}.config"


def verb(act: Callable[..., None]) -> click.Command:
    """Make a command of a function that is handed the settings, and that `--path` and `--json` belong to."""

    def called(given: Given, /, path: str | None, **options: Any) -> None:
        from dataclasses import replace

        from target_delta.wall import store_errors

        plugin = given.opened()
        chosen: Settings = plugin.settings
        click.get_current_context().meta[_CONFIG] = dict(plugin.config)
        chosen = replace(chosen, path=path) if path else chosen
        with store_errors(None, chosen.path):
            act(chosen, **options)

    functools.update_wrapper(called, act)  # its words, and the options that click noted
    command = click.command(click.pass_obj(called))
    command = click.option("--json", "as_json", is_flag=True, help="A JSON object a line, also on a terminal.")(command)
    return click.option("--path", help="The folder or address of the tables, in the place of the setting.")(command)


KEY = click.option("--key", "keys", multiple=True, help="A key column, where the newest load does not name the keys.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


@verb
@click.argument("streams", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="So many runs at most.")
def history(chosen: Settings, streams: Sequence[str], limit: int, *, as_json: bool) -> None:
    """Say what the runs did to the tables of STREAMS (names or globs; all), the newest first."""
    from target_delta.upkeep import runs

    _show(runs.history(_tables(chosen, streams), limit), runs.COLUMNS, as_json=as_json)


@verb
@click.argument("stream")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="So many rows at most.")
@click.option("--column", "columns", multiple=True, help="Show this column alone; may be given more than once.")
def peek(chosen: Settings, stream: str, limit: int, columns: Sequence[str], *, as_json: bool) -> None:
    """Show some rows of the table of STREAM, those of its newest files first."""
    from target_delta.upkeep.peek import shown
    from target_delta.upkeep.tables import table

    for line in shown(table(chosen.path, chosen.storage_options, stream), limit, columns, as_json=as_json):
        click.echo(line)


@verb
@click.argument("streams", nargs=-1)
@click.option("--vacuum-hours", type=click.IntRange(min=24), help="In the place of the setting.")
@DRY_RUN
def maintain(
    chosen: Settings, streams: Sequence[str], vacuum_hours: int | None, *, dry_run: bool, as_json: bool
) -> None:
    """Compact small files of STREAMS (names or globs; all), write checkpoints, delete what nobody reads any more."""
    from target_delta.files import layout
    from target_delta.upkeep.maintain import COLUMNS, Upkeep
    from target_delta.upkeep.maintain import maintain as look_after

    upkeep = Upkeep(layout(chosen), vacuum_hours or chosen.vacuum_hours, dry_run=dry_run)
    done = [look_after(table, table.committer(), upkeep) for table in _tables(chosen, streams)]
    _show(done, COLUMNS, as_json=as_json)


@verb
@click.option("--run", required=True, help="The id of the run, as history and the report say it.")
@click.option("--with-later", is_flag=True, help="Take back too what other runs and programs changed after it.")
@DRY_RUN
def rollback(chosen: Settings, run: str, *, with_later: bool, dry_run: bool, as_json: bool) -> None:
    """Bring every table that a run wrote to back to the version before it, rows and bookmark together."""
    from target_delta.upkeep import rollback as room

    done = room.rollback(_tables(chosen, ()), run, with_later=with_later, dry_run=dry_run)
    _show(done, room.COLUMNS, as_json=as_json)


@verb
@click.argument("streams", nargs=-1)
@click.option("--quick", is_flag=True, help="Look at the log and at the files, and read no row.")
@click.option("--source", is_flag=True, help="Compare with all rows of a tap, on stdin: counts and checksums.")
@KEY
def verify(
    chosen: Settings, streams: Sequence[str], keys: Sequence[str], *, quick: bool, source: bool, as_json: bool
) -> None:
    """Say whether the tables of STREAMS (names or globs; all) are what their logs say; exit 4 where one is not."""
    from singerkit.errors import SafetyStopError
    from target_delta.upkeep import verify as room

    tables = _tables(chosen, streams)
    found = [row for table in tables for row in room.verify(table, keys, quick=quick)]
    if source:
        found += _compared(tables)
    _show(found, room.COLUMNS, as_json=as_json)
    if bad := [f"{row['stream']}:{row['check']}" for row in found if not row["good"]]:
        raise SafetyStopError("tables are not what their logs say", remedy="see what was found", found=" ".join(bad))


@verb
@click.argument("stream")
@click.option("--keys", "by_keys", is_flag=True, required=True, help="Leave one row of every key.")
@KEY
@click.option("--newest", metavar="COLUMN", help="The row with the greatest value in it stays, not the last written.")
@DRY_RUN
def repair(  # each option is one
    chosen: Settings,
    stream: str,
    keys: Sequence[str],
    newest: str | None,
    *,
    by_keys: bool,  # noqa: ARG001  # says what is repaired: there is one kind
    dry_run: bool,
    as_json: bool,
) -> None:
    """Leave one row of every key in the table of STREAM: of doubled ones the row that was written last."""
    from target_delta.files import layout
    from target_delta.upkeep import repair as room
    from target_delta.upkeep.tables import table

    found = table(chosen.path, chosen.storage_options, stream)
    done = room.repair(found, layout(chosen), keys, newest=newest, dry_run=dry_run)
    _show([done], room.COLUMNS, as_json=as_json)


@verb
def plan(chosen: Settings, *, as_json: bool) -> None:
    """Say what the Singer messages on stdin would do to the tables, and write nothing to them."""
    from singerkit.errors import SafetyStopError
    from target_delta.upkeep import preview as room
    from target_delta.upkeep.beside import loaded

    config = click.get_current_context().meta[_CONFIG]
    with loaded(sys.stdin.buffer, config, functools.partial(room.columns_of, chosen)) as beside:
        rows = [*room.preview(chosen, beside)]
    _show(rows, room.COLUMNS, as_json=as_json)
    if bad := [row["stream"] for row in rows if row.get("problem")]:
        raise SafetyStopError("the run would stop", remedy="see the problem of each", streams=" ".join(bad))


@verb
@click.argument("stream")
@click.option(
    "--plan", "--dry-run", "is_plan", is_flag=True, help="Say from the log what there is and what would be, no more."
)
@click.option("--mode", type=click.Choice(["none", "md5", "numerical", "datetime", "column"]))
@click.option("--key", "keys", multiple=True, help="A column that the partition follows from; the keys where not said.")
@click.option("--count", type=click.IntRange(min=1), help="How many partitions (md5).")
@click.option("--size", type=click.IntRange(min=1), help="How many numbers share a partition (numerical).")
@click.option("--format", type=click.Choice(["hour", "day", "week", "month", "year"]), help="How far (datetime).")
@click.option("--target-mb", type=click.IntRange(min=1), default=256, show_default=True, help="What a partition holds.")
def repartition(chosen: Settings, stream: str, *, is_plan: bool, target_mb: int, as_json: bool, **said: Any) -> None:
    """Give the table of STREAM other partitions: those that are named, else what its size suggests."""
    from singerkit.errors import SettingsError
    from target_delta.files import layout
    from target_delta.upkeep import repartition as room
    from target_delta.upkeep.tables import table

    named = {name: list(value) if name == "keys" else value for name, value in said.items() if value}
    if named and "mode" not in named:
        raise SettingsError("partitions are named without their mode", remedy="say the mode: --mode md5, for example")
    found = table(chosen.path, chosen.storage_options, stream)
    row, partitions = room.plan(found, named, target_mb << 20)
    if not is_plan:
        room.repartition(found, partitions, layout(chosen))
    _show([{**row, "repartitioned": partitions is not None and not is_plan}], room.COLUMNS, as_json=as_json)


@verb
@click.argument("stream")
@click.option("--catalog", "file", required=True, type=click.File("rb"), help="What the tap's --discover says now.")
@DRY_RUN
def replay(chosen: Settings, stream: str, file: IO[bytes], *, dry_run: bool, as_json: bool) -> None:
    """Load the rows of <STREAM>__quarantine again, by the schema that the tap has now; what does not fit stays."""
    import json

    from target_delta.files import layout
    from target_delta.quarantine import quarantine_name
    from target_delta.upkeep import replay as room
    from target_delta.upkeep.tables import table

    aside, found = (table(chosen.path, chosen.storage_options, name) for name in (quarantine_name(stream), stream))
    message = room.schema_of(json.load(file), stream)
    way = room.Way(click.get_current_context().meta[_CONFIG], layout(chosen), chosen.contract_of(stream))
    _show([room.replay(found, aside, message, way, dry_run=dry_run)], room.COLUMNS, as_json=as_json)


VERBS: dict[str, click.Command] = {
    "history": history,
    "peek": peek,
    "plan": plan,
    "verify": verify,
    "maintain": maintain,
    "rollback": rollback,
    "repair": repair,
    "repartition": repartition,
    "replay": replay,
}


def _tables(chosen: Settings, streams: Sequence[str]) -> list[Found]:
    from target_delta.upkeep.tables import tables

    return tables(chosen.path, chosen.storage_options, streams)


def _compared(tables: Sequence[Found]) -> list[Row]:
    """Return how the tables differ from what a tap sends on stdin; tables of other streams are left out."""
    from target_delta.upkeep.beside import loaded
    from target_delta.upkeep.compare import compare

    with loaded(sys.stdin.buffer, click.get_current_context().meta[_CONFIG]) as beside:
        sent = {coming.stream for coming in beside.streams}
        return [compare(table, beside.path) for table in tables if table.stream in sent]


def _show(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    from target_delta.upkeep.show import lines

    for line in lines(rows, columns, as_json=as_json):
        click.echo(line)
