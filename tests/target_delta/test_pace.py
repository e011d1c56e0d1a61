"""When a batch is written that nothing completes: by its age, at a pause, and never against a signal."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from singer_sdk.mapper import PluginMapper

from singerkit.errors import StoppedError
from singerkit.report import Report
from singerkit.settings.read import checked
from target_delta.lines import pieces
from target_delta.mapping import Mapping
from target_delta.router import Router
from target_delta.run import Run
from target_delta.settings import Settings
from target_delta.worker import Worker

from .conftest import Load, Messages, as_lines, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = schema("log", (), n="integer")


@dataclass
class Loader:
    """The rooms of a run, with a clock that the test turns; what leaves is in `states`."""

    folder: Path
    settings: dict[str, Any]
    now: float = 0.0
    states: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = Run(
            checked(Settings, {"path": str(self.folder), **self.settings}), str(uuid.uuid4()), datetime.now(UTC),
            Worker(self.interrupt), Report("target-delta", "run"), lambda: self.now,
        )  # fmt: skip
        self.router = Router(
            self.run, Mapping(PluginMapper({}, logging.getLogger("test")), active=False), self.states.append
        )

    def interrupt(self) -> None:
        """Nobody asks this run to stop."""

    def take(self, messages: Messages) -> None:
        for piece in pieces(as_lines(messages)):
            self.router.take(piece)

    def pause(self) -> None:
        """Let the input be silent until what is written has settled."""
        self.router.pause()
        self.run.worker.settle()
        self.router.pause()

    def rows(self) -> int:
        return DeltaTable(self.folder / "log").count() if (self.folder / "log").exists() else 0


@pytest.fixture
def loader(warehouse: Path) -> Iterator[Loader]:
    made = Loader(warehouse, {"max_batch_age_s": 60})
    yield made
    made.router.abandon()


def test_age_of_the_oldest_row(loader: Loader) -> None:
    """A batch is written when its oldest row has waited max_batch_age_s, also if no STATE asks for it."""
    loader.take([LOG, record("log", n=1)])
    loader.now = 59
    loader.take([record("log", n=2)])
    loader.pause()
    young = loader.rows()

    loader.now = 60
    loader.pause()

    assert (young, loader.rows()) == (0, 2)


def test_age_while_input_goes_on(loader: Loader) -> None:
    """A tap that never pauses has its rows written in time too, and its STATE with them."""
    loader.take([LOG, record("log", n=1), state(log=1)])
    for second in range(1, 62):
        loader.now = second
        loader.take([record("log", n=second)])
    loader.run.worker.settle()
    loader.take([record("log", n=99)])

    assert loader.states == [{"bookmarks": {"log": 1}}]
    assert loader.rows() == 61


def test_commits_at_pauses_are_few(loader: Loader) -> None:
    """A tap that pauses after each row has a commit every five seconds, not one a row."""
    loader.take([LOG])
    for second in range(11):
        loader.now = second
        loader.take([record("log", n=second), state(log=second)])
        loader.pause()

    assert loader.run.report.streams["log"]["commits"] == 3
    assert loader.states == [{"bookmarks": {"log": second}} for second in (0, 5, 10)]


class Stopped(Loader):
    """A run that is told to stop once its last STATE has left."""

    def interrupt(self) -> None:
        if self.states:
            raise StoppedError(15)


def test_signal_while_tables_are_looked_after(load: Load, warehouse: Path) -> None:
    """A signal ends upkeep behind a run within seconds: the table is as the run left it, and STATE has left."""
    for number in range(3):
        load([LOG, record("log", n=number), state(log=number)], compact_files=0)
    loader = Stopped(warehouse, {"compact_files": 1})
    loader.take([LOG, record("log", n=3), state(log=3)])

    with pytest.raises(StoppedError):
        loader.router.finish()
    loader.router.abandon()

    assert loader.states == [{"bookmarks": {"log": 3}}]
    assert len(DeltaTable(warehouse / "log").file_uris()) == 4
