"""A plugin's command line in this process at DEBUG, and every byte that it leaves behind."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from singerkit import shell
from singerkit.settings import secrets

from .marks import leaks, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GIVEN = frozenset({".secret", ".config", ".catalog"})
"""Files that a person gives; all others are what a plugin leaves."""


class Line:
    """The command line of any plugin: what it leaves, and that no secret of its configuration is in that."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes], patch: pytest.MonkeyPatch) -> None:
        self.folder, self._capture, self._patch = folder, capture, patch
        self.said = ""
        self.also: set[str] = set()
        """Secrets that stand in no setting."""

    def __call__(self, plugin: type[Any], config: Mapping[str, Any], *words: str, stdin: bytes = b"") -> int:
        """Run words with a configuration in a file, as the first run of a process; return the exit code."""
        self._patch.setattr(secrets, "_known", ())
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._patch.setitem(globals(), "Chosen", plugin)
        file = self.folder / "given.config"
        file.write_text(json.dumps(config), encoding="utf-8")
        self._capture.readouterr()
        with own_handlers():
            code = shell.run(f"{__name__}:Chosen", [*words, "--config", str(file)])
        sys.stdout.flush()
        out, err = self._capture.readouterr()
        left = b"".join(one.read_bytes() for one in self.folder.rglob("*") if one.is_file() and one.suffix not in GIVEN)
        self.said = (out + err).decode(errors="replace")
        found = leaks(out + err + left, {*texts(dict(config)), *self.hidden(), *self.also})
        assert found == [], f"{plugin.name} {' '.join(words)} lets out {found}"
        return code

    def hidden(self) -> Iterator[str]:
        """Yield the secrets that are in files of their own."""
        yield from (one.read_text(encoding="utf-8") for one in self.folder.rglob("*.secret"))


@contextmanager
def own_handlers() -> Iterator[None]:
    """Let the plugin make the handlers of its logs, as it does in a process of its own."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = []
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


@pytest.fixture
def line(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Give the command line of any plugin; the signals of this process are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    monkeypatch.chdir(tmp_path)
    yield Line(tmp_path, capfdbinary, monkeypatch)
    for number, handler in before.items():
        signal.signal(number, handler)
