"""What `cdc setup`, `status`, `confirm` and `teardown` do.

Takes a Capture that has not begun; gives lines for a person. What a role may not do is printed as SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError, SettingsError, SingerkitError
from tap_postgres.cdc import lsn
from tap_postgres.cdc.confirmation import newest_state
from tap_postgres.cdc.position import all_of
from tap_postgres.cdc.requirements import MIB, requirements
from tap_postgres.cdc.socket import Replication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_postgres.cdc.capture import Capture
    from tap_postgres.cdc.facts import Facts

_ADMIN = ("ALTER SYSTEM", "ALTER ROLE")


def set_up(capture: Capture, *, dry_run: bool, say: Callable[[str], None]) -> int:
    """Make what is missing and may be made; return how many statements are left to an administrator."""
    left = 0
    role = None
    for requirement in requirements(capture.catalog.facts(), capture.asked(capture.known())):
        if requirement.met or not requirement.sql or requirement.advice:
            continue
        role = requirement.sql
        if dry_run or requirement.sql.startswith(_ADMIN):
            say(requirement.sql)
            left += 1
        elif not _run(capture, requirement.sql, say):
            left += 1
    facts = capture.catalog.facts()
    slot = capture.settings.replication_slot
    if facts.slot is None:
        if dry_run or left:
            say(
                f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput');  -- the first run makes it by itself"
            )
        else:
            with Replication(capture.settings, capture.tap.route) as replication:
                created = replication.create_slot(slot)
            say(f"-- made slot {slot} at {lsn.to_text(created.lsn)}")
    if dry_run:
        say(_role_sql(facts))
    elif role is None:
        say("-- nothing was missing")
    return left


def _run(capture: Capture, statement: str, say: Callable[[str], None]) -> bool:
    """Run a statement; print it, and whether it has to be run by someone else."""
    try:
        capture.catalog.write(statement.partition(";")[0])
    except SingerkitError as error:
        say(f"{statement}  -- not done: {error.what}")
        return False
    say(f"{statement}  -- done")
    return True


def _role_sql(facts: Facts) -> str:
    return (
        "-- a role of its own for this tap, made by an administrator:\n"
        "CREATE USER tap_postgres PASSWORD '...' REPLICATION;\n"
        f'GRANT CONNECT ON DATABASE "{facts.database}" TO tap_postgres;\n'
        "GRANT USAGE ON SCHEMA public TO tap_postgres;\n"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO tap_postgres;\n"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO tap_postgres;"
    )


def status_of(facts: Facts) -> dict[str, Any]:
    """Return what the server says of slot and publication."""
    slot = facts.slot
    return {
        "server": {"version": facts.version, "wal_level": facts.wal_level, "position": lsn.to_text(facts.tip)},
        "slot": None if slot is None else {
            "name": slot.name,
            "active_pid": slot.active_pid,
            "confirmed": None if slot.confirmed is None else lsn.to_text(slot.confirmed),
            "kept_mb": round(slot.kept_bytes / MIB, 1),
            "lost": slot.why_lost if slot.is_lost else None,
        },
        "publication": None if facts.publication is None else {
            "name": facts.publication["pubname"],
            "tables": sorted(f"{schema}.{name}" for schema, name in facts.published),
        },
    }  # fmt: skip


def confirm_state(capture: Capture, path: str) -> str:
    """Confirm the position that a STATE proves stored; never one that the server has not reached."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # /dev/stdin is a path here too
            state = newest_state(file.read())
    except (OSError, ValueError) as error:
        raise SettingsError("the STATE file cannot be read", path=path) from error
    names = [stream.name for stream in capture.streams]
    positions = all_of(state, names)
    facts = capture.catalog.facts()
    if not positions:
        raise SettingsError("the STATE does not say of every captured stream how far it is stored", path=path)
    if facts.slot is None:
        raise SettingsError("there is no such slot", slot=capture.settings.replication_slot)
    position = min(found.begin for found in positions)
    with Replication(capture.settings, capture.tap.route) as replication:
        system = replication.identify().system
    if position > facts.tip or any(found.server.system != system for found in positions):
        raise SafetyStopError("the STATE is of another server, or further than this one", path=path)
    capture.catalog.query(
        "SELECT pg_catalog.pg_replication_slot_advance(%(slot)s, %(lsn)s::pg_lsn)",
        {"slot": facts.slot.name, "lsn": lsn.to_text(max(position, facts.slot.confirmed or 0))},
    )
    return f"confirmed {lsn.to_text(position)}"


def tear_down(capture: Capture, *, publication: bool) -> Iterator[str]:
    """Drop the slot, and the publication where that was asked for; yield what was done."""
    slot, name = capture.settings.replication_slot, capture.settings.publication
    facts = capture.catalog.facts()
    if facts.slot is None:
        yield f"there is no slot {slot}"
    else:
        capture.catalog.query("SELECT pg_catalog.pg_drop_replication_slot(%(slot)s)", {"slot": slot})
        yield f"dropped slot {slot}"
    if publication and facts.publication is not None:
        quoted = name.replace('"', '""')
        capture.catalog.write(f'DROP PUBLICATION "{quoted}"')
        yield f"dropped publication {name}"
