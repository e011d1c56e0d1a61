"""Who may import whom: read from the source, whatever else the code does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tools.setup import ROOT, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SHELL = ("errors", "plugins", "report", "settings", "shell", "show", "verbs")
"""What the loader may take from singerkit: the shell, and nothing that taps are made of."""

PURE = (
    "singerkit/src/singerkit/arrow/lines.py",
    "singerkit/src/singerkit/arrow/tables.py",
    "singerkit/src/singerkit/arrow/text.py",
    "singerkit/src/singerkit/bookmarks.py",
    "singerkit/src/singerkit/connect/addresses.py",
    "singerkit/src/singerkit/connect/addresses.py",
    "singerkit/src/singerkit/connect/bastion.py",
    "singerkit/src/singerkit/errors.py",
    "singerkit/src/singerkit/rest/message.py",
    "singerkit/src/singerkit/rest/pages.py",
    "singerkit/src/singerkit/rest/retry.py",
    "singerkit/src/singerkit/rest/rules.py",
    "singerkit/src/singerkit/rest/selector.py",
    "singerkit/src/singerkit/rest/body.py",
    "singerkit/src/singerkit/rest/bookmarks.py",
    "singerkit/src/singerkit/rest/check.py",
    "singerkit/src/singerkit/rest/clock.py",
    "singerkit/src/singerkit/rest/conditions.py",
    "singerkit/src/singerkit/rest/covered.py",
    "singerkit/src/singerkit/rest/descending.py",
    "singerkit/src/singerkit/rest/endpoint.py",
    "singerkit/src/singerkit/rest/family.py",
    "singerkit/src/singerkit/rest/held.py",
    "singerkit/src/singerkit/rest/marks.py",
    "singerkit/src/singerkit/rest/pages.py",
    "singerkit/src/singerkit/rest/progress.py",
    "singerkit/src/singerkit/rest/retry.py",
    "singerkit/src/singerkit/rest/rules.py",
    "singerkit/src/singerkit/rest/selector.py",
    "singerkit/src/singerkit/rest/shape.py",
    "singerkit/src/singerkit/rest/words.py",
    "singerkit/src/singerkit/settings/about.py",
    "singerkit/src/singerkit/settings/environment.py",
    "singerkit/src/singerkit/settings/kinds.py",
    "singerkit/src/singerkit/settings/meltano.py",
    "singerkit/src/singerkit/settings/texts.py",
    "singerkit/src/singerkit/settings/words.py",
    "singerkit/src/singerkit/state/explain.py",
    "singerkit/src/singerkit/state/marks.py",
    "singerkit/src/singerkit/state/parents.py",
    "singerkit/src/singerkit/state/rewind.py",
    "singerkit/src/singerkit/state/values.py",
    "singerkit/src/singerkit/webhooks/events.py",
    "singerkit/src/singerkit/webhooks/signature.py",
    "taps/tap-postgres/src/tap_postgres/cdc/cells.py",
    "taps/tap-postgres/src/tap_postgres/cdc/changes.py",
    "taps/tap-postgres/src/tap_postgres/cdc/facts.py",
    "taps/tap-postgres/src/tap_postgres/cdc/literals.py",
    "taps/tap-postgres/src/tap_postgres/cdc/lsn.py",
    "taps/tap-postgres/src/tap_postgres/cdc/messages.py",
    "taps/tap-postgres/src/tap_postgres/cdc/pgoutput.py",
    "taps/tap-postgres/src/tap_postgres/cdc/position.py",
    "taps/tap-postgres/src/tap_postgres/cdc/requirements.py",
    "taps/tap-postgres/src/tap_postgres/types.py",
    "target-delta/src/target_delta/arrays.py",
    "target-delta/src/target_delta/buffer.py",
    "target-delta/src/target_delta/canonical.py",
    "target-delta/src/target_delta/checksum.py",
    "target-delta/src/target_delta/collisions.py",
    "target-delta/src/target_delta/columns.py",
    "target-delta/src/target_delta/conform.py",
    "target-delta/src/target_delta/contract.py",
    "target-delta/src/target_delta/exact.py",
    "target-delta/src/target_delta/fitting.py",
    "target-delta/src/target_delta/jsontext.py",
    "target-delta/src/target_delta/keys.py",
    "target-delta/src/target_delta/ledger.py",
    "target-delta/src/target_delta/lines.py",
    "target-delta/src/target_delta/lookup.py",
    "target-delta/src/target_delta/marks.py",
    "target-delta/src/target_delta/md5.py",
    "target-delta/src/target_delta/memory.py",
    "target-delta/src/target_delta/names.py",
    "target-delta/src/target_delta/partition.py",
    "target-delta/src/target_delta/partition_choice.py",
    "target-delta/src/target_delta/partitioning.py",
    "target-delta/src/target_delta/repeats.py",
    "target-delta/src/target_delta/schema.py",
    "target-delta/src/target_delta/shape.py",
    "target-delta/src/target_delta/stats.py",
    "target-delta/src/target_delta/temporal.py",
    "target-delta/src/target_delta/texts.py",
    "target-delta/src/target_delta/typed.py",
    "target-delta/src/target_delta/undeclared.py",
    "target-delta/src/target_delta/validity.py",
    "target-delta/src/target_delta/upkeep/compaction.py",
    "target-delta/src/target_delta/upkeep/sizes.py",
    "target-delta/src/target_delta/versions.py",
)
"""Rooms that are given bytes, values and the time, and touch nothing."""

IMPURE = (
    *("adbc_driver_manager", "adbc_driver_postgresql", "asyncio", "deltalake", "fcntl", "http", "io", "os", "pathlib"),
    *("psycopg", "pyarrow.fs", "pyarrow.parquet", "requests", "selectors", "shutil", "signal", "socket", "sqlite3"),
    *("ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"),
)
"""What touches the world, with all that is in it."""


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports at any depth, by its full name; imports for types only are not counted."""
    yield from _imports(ast.parse(path.read_text()), _package_of(path))


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=rest):
            children: list[ast.AST] = list(rest)
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
            return
        case ast.ImportFrom(module=module, names=names, level=level):
            anchor = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            source = ".".join([*anchor, *filter(None, [module])])
            yield from (f"{source}.{alias.name}" for alias in names)
            return
        case _:
            children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _imports(child, package)


def _package_of(path: Path) -> str:
    parts = path.parts[path.parts.index("src") + 1 : -1]
    return ".".join(parts)


def sources(folder: Path) -> list[Path]:
    return sorted((folder / "src").rglob("*.py"))


def within(name: str, modules: Iterable[str]) -> bool:
    """Say whether a full name is one of these modules, or stands in one."""
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


PACKAGES = {folder.name.replace("-", "_"): folder for folder in members()}
TAPS = {name for name, folder in PACKAGES.items() if folder.parent.name == "taps"}
FORBIDDEN = {name: set(PACKAGES) - {name, "singerkit"} for name in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_do_not_know_each_other(package: str) -> None:
    """No tap imports a tap or the loader, the loader imports no tap, and singerkit imports neither."""
    crossing = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in sources(PACKAGES[package])
        for name in imports(path)
        if within(name, FORBIDDEN[package])
    ]

    assert crossing == []


def test_loader_takes_only_the_shell_from_singerkit() -> None:
    """What taps are made of is out of the loader's reach."""
    allowed = [f"singerkit.{room}" for room in SHELL]

    crossing = [
        (path.name, name)
        for path in sources(PACKAGES["target_delta"])
        for name in imports(path)
        if within(name, ["singerkit"]) and not within(name, allowed)
    ]

    assert crossing == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_nothing(room: str) -> None:
    """A pure room imports no file, socket, clock, process, database or table format."""
    assert [name for name in imports(ROOT / room) if within(name, IMPURE)] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import os.path as p, json", ["os.path", "json"]),
        ("from a.b import c, d", ["a.b.c", "a.b.d"]),
        ("def f():\n    import socket", ["socket"]),
        (
            "from . import x\nfrom .y import z\nfrom ..w import v",
            ["singerkit.rest.x", "singerkit.rest.y.z", "singerkit.w.v"],
        ),
        ("if TYPE_CHECKING:\n    import os\nelse:\n    import io", ["io"]),
    ],
)
def test_every_form_of_import_is_seen(text: str, names: list[str]) -> None:
    """Plain, renamed, nested and relative imports count; imports for type checkers do not."""
    assert list(_imports(ast.parse(text), "singerkit.rest")) == names
