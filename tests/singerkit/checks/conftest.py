"""A REST tap of any rows beside a loopback API, and its command line in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pytest

from singerkit import shell
from singerkit.rest.auth import Bearer
from singerkit.rest.endpoint import Endpoint, Source
from singerkit.rest.settings import RestSettings
from singerkit.rest.tap import RestTap
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings
from singerkit.testing.fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@settings
class Tried(RestSettings):
    """What the rows of the tests need."""

    base_url: Annotated[str, Input("Address", "Where the API is.")]
    token: Annotated[str | None, Input("Token", "Never shown.", secret=True)] = None


class TapLooked(RestTap):
    """Rows that each test chooses."""

    name = "tap-looked"
    settings_class = Tried
    source_row = Source(base_url="{base_url}", auth=Bearer(token="{token}"))
    endpoints: ClassVar[Sequence[Endpoint]] = ()


class Line:
    """The command line of the tap: what it says, and its exit code."""

    def __init__(self, api: FakeApi, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.api, self.capsys = api, capsys
        self.file = folder / "config.json"
        self.config: dict[str, Any] = {"base_url": api.url, "token": "canary-4711", "allow_private_hosts": True}

    def rows(self, *rows: Endpoint, source: Source | None = None) -> None:
        """Choose the rows."""
        TapLooked.endpoints = rows
        if source is not None:
            TapLooked.source_row = source

    def __call__(self, *words: str) -> tuple[int, str]:
        """Run words; return the exit code and what stands on stdout."""
        self.file.write_text(json.dumps(self.config))
        self.capsys.readouterr()
        code = shell.run(f"{__name__}:TapLooked", [*words, "--config", str(self.file)])
        self.said = self.capsys.readouterr()
        return code, self.said.out

    def found(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run `check --json`; return the exit code and the findings by name."""
        code, text = self("check", "--json", *words)
        said = json.loads(text)
        return code, {one.pop("name"): one for one in (*said["connection"], *said["streams"])}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as served:
        yield served


@pytest.fixture
def line(api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(TapLooked, "endpoints", ())
    monkeypatch.setattr(TapLooked, "source_row", TapLooked.source_row)
    return Line(api, tmp_path, capsys)


def row(name: str, **words: Any) -> Endpoint:
    """Return a row of objects with an id and a time."""
    properties = {"id": {"type": ["integer", "null"]}, "at": {"type": ["string", "null"], "format": "date-time"}}
    for parent in words.get("parents", ()):
        properties |= {column: {"type": ["integer", "null"]} for column in parent.columns}
    given: dict[str, Any] = {"path": f"/{name}", "keys": ("id",), "schema": {"properties": properties}}
    return Endpoint(name=name, **{**given, **words})


def streams(found: dict[str, Any]) -> Sequence[str]:
    """Return the outcomes of everything but the connection."""
    return [one["outcome"] for name, one in found.items() if name not in {"settings", "network", "credentials"}]
