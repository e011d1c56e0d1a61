"""A STATE rebuilt from the tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singerkit import shell

from .conftest import Load, activate, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LOG = schema("log", (), line="string")
PEOPLE = schema("people", ["id"], id="integer")


def run(*argv: str) -> int:
    return shell.run("target_delta.target:TargetDelta", [*argv])


def exported(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    capsys.readouterr()
    assert run(*argv) == 0
    return json.loads(capsys.readouterr().out)


def test_newest_bookmark_of_every_table(load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The STATE names each stream as the tap does, with the newest bookmark that stands in its table's log."""
    load([LOG, record("log", line="a"), state(log=1), record("log", line="b"), state(log=2)])
    load([
        LOG, PEOPLE, activate("people", 5), record("people", id=1), state(log=2, people={"v": 3}),
        activate("people", 5),
    ])  # fmt: skip

    found = exported(capsys, "state", "export", "--path", str(warehouse))

    assert found == {"bookmarks": {"log": 2, "people": {"v": 3}}}


def test_names_of_the_tap(load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind a stream map the bookmark belongs to the stream of the tap."""
    load([LOG, record("log", line="a"), state(log=1)], stream_maps={"log": {"__alias__": "lines"}})

    assert exported(capsys, "state", "export", "--path", str(warehouse)) == {"bookmarks": {"log": 1}}


def test_names_whose_folder_begins_with_a_line(load: Load, warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Streams with a line before their name, or without a Latin letter, have tables that every verb finds."""
    for name in ("_users", "日本", ".x"):
        load([schema(name, (), line="string"), record(name, line="a"), state(**{name: 1})])

    assert exported(capsys, "state", "export", "--path", str(warehouse)) == {
        "bookmarks": {"_users": 1, "日本": 1, ".x": 1}
    }


def test_configuration_before_the_verb(
    load: Load, tmp_path: Path, warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options of the plugin stand before the verb, where Meltano puts them."""
    load([LOG, record("log", line="a"), state(log=1)])
    (tmp_path / "config.json").write_text(json.dumps({"path": str(warehouse)}))

    found = exported(capsys, "--config", str(tmp_path / "config.json"), "state", "export")

    assert found == {"bookmarks": {"log": 1}}


def test_no_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder without tables is refused: an empty STATE would read everything again."""
    assert run("state", "export", "--path", str(tmp_path)) == 2
    assert [message for message in caplog.messages if "no table is there" in message]
