"""Runs the tap in this process, or as the executable, and hands back what it said."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_postgres.tap import TapPostgres

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.postgres_server import Database

Message = dict[str, Any]


@dataclass
class Run:
    """The messages of one run, and the error that ended it."""

    messages: list[Message] = field(default_factory=list)
    error: Exception | None = None

    def of(self, kind: str, stream: str | None = None) -> list[Message]:
        return [m for m in self.messages if m["type"] == kind and stream in {None, m.get("stream")}]

    @property
    def records(self) -> dict[str, list[Message]]:
        found: dict[str, list[Message]] = defaultdict(list)
        for message in self.of("RECORD"):
            found[message["stream"]].append(message["record"])
        return found

    @property
    def state(self) -> Any:
        """The last STATE, or an empty one."""
        states = self.of("STATE")
        return states[-1]["value"] if states else {}

    def bookmark(self, stream: str) -> Any:
        return self.state.get("bookmarks", {}).get(stream)


def sync(database: Database, *, catalog: Any = None, state: Any = None, **config: Any) -> Run:
    """Run a sync in this process; `config` goes on top of where the database is."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    run = Run()
    with contextlib.redirect_stdout(out):
        try:
            TapPostgres(config=database.config | config, catalog=catalog, state=state).sync_all()
        except Exception as error:  # noqa: BLE001  # the test looks at it
            run.error = error
    out.flush()
    lines = out.buffer.getvalue().splitlines()
    run.messages = [json.loads(line, parse_float=Decimal) for line in lines]
    return run


def discovered(database: Database, **config: Any) -> dict[str, Any]:
    """Return the catalog of a database as JSON."""
    catalog: dict[str, Any] = json.loads(
        TapPostgres(config=database.config | config, setup_mapper=False).catalog_json_text
    )
    return catalog


def edited(catalog: Mapping[str, Any], stream: str, column: str | None = None, **words: Any) -> dict[str, Any]:
    """Return a catalog with words of one stream's or column's metadata set, as people and Meltano do it."""
    copy: dict[str, Any] = json.loads(json.dumps(catalog))
    breadcrumb = ["properties", column] if column else []
    for entry in copy["streams"]:
        for metadata in entry["metadata"] if entry["tap_stream_id"] == stream else ():
            if metadata["breadcrumb"] == breadcrumb:
                metadata["metadata"] |= {name.replace("_", "-"): word for name, word in words.items()}
    return copy


def incremental(database: Database, stream: str, key: str, **config: Any) -> dict[str, Any]:
    """Return the catalog of a database with one stream made incremental."""
    catalog = discovered(database, **config)
    return edited(catalog, stream, replication_method="INCREMENTAL", replication_key=key)


@dataclass(frozen=True)
class Ended:
    """What the executable left: exit code, messages, and its log without timestamps."""

    code: int
    stdout: str
    stderr: str

    @property
    def messages(self) -> list[Message]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def errors(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if "| ERROR" in line or "Traceback" in line]


def execute(folder: Path, settings: Mapping[str, Any] | None, *arguments: str, **files: Any) -> Ended:
    """Run the executable with a configuration and `catalog=` or `state=` as files."""
    words = [*arguments]
    given = files if settings is None else {"config": settings, **files}
    for name, content in given.items():
        path = folder / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        words += [f"--{name}", str(path)]
    done = subprocess.run(
        [sys.executable, "-m", "tap_postgres", *words], capture_output=True, text=True, check=False, env=environment()
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """Return the environment without what libpq would read."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "TAP_POSTGRES_"))}
