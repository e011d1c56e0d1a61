"""Input arrives as blocks of whole lines, as soon as they are there."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

from singerkit.errors import SettingsError
from target_delta.source import BLOCK, blocks

if TYPE_CHECKING:
    from pathlib import Path


def test_text_in_memory() -> None:
    """Text is read as UTF-8 lines."""
    assert list(blocks(io.StringIO("é\nb"))) == ["é\nb".encode()]


def test_input_that_is_closed() -> None:
    """A process that was started without a standard input says so in one line."""
    with pytest.raises(SettingsError, match="there is no input"):
        blocks(None)


def test_bytes_in_memory() -> None:
    """Bytes stay as they are."""
    assert list(blocks(io.BytesIO(b"a\nb\n"))) == [b"a\nb\n"]


def test_file_larger_than_a_block(tmp_path: Path) -> None:
    """Blocks end with a whole line and together are the file; the last line needs no newline."""
    lines = [b"%d" % number * 50 for number in range(20_000)]
    (tmp_path / "input").write_bytes(b"\n".join(lines))

    with (tmp_path / "input").open("rb") as file:
        read = [block for block in blocks(file) if block is not None]

    assert b"".join(read) == b"\n".join(lines)
    assert all(block.endswith(b"\n") for block in read[:-1])
    assert max(map(len, read)) <= BLOCK + 300


def test_line_longer_than_a_block(tmp_path: Path) -> None:
    """A line of any length comes whole."""
    long = b"x" * (3 * BLOCK + 1)
    (tmp_path / "input").write_bytes(b"a\n" + long + b"\nb\n")

    with (tmp_path / "input").open() as file:
        read = [block for block in blocks(file) if block is not None]

    assert b"".join(read) == b"a\n" + long + b"\nb\n"
    assert any(block.startswith((long, b"a\n" + long)) for block in read)


def test_slow_tap() -> None:
    """A line comes at once, without waiting for a full block; a pause is told, and half a line is kept for later."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as tap:
        read = blocks(source)

        tap.write(b"a\nhal")
        assert next(read) == b"a\n"
        assert next(read) is None
        tap.write(b"f\n")
        assert next(read) == b"half\n"
        tap.write(b"cut short")
        tap.close()
        assert list(read) == [b"cut short"]


def test_pipe_that_is_written_in_small_pieces() -> None:
    """However a pipe is written, its lines arrive whole and in order."""
    reading, writing = os.pipe()
    content = b"".join(b"line %d\n" % number for number in range(5_000))

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as tap:
            for start in range(0, len(content), 997):
                tap.write(content[start : start + 997])

    with os.fdopen(reading, "rb") as source:
        tap = threading.Thread(target=write)
        tap.start()
        read = [block for block in blocks(source) if block is not None]
        tap.join()

    assert b"".join(read) == content
    assert all(block.endswith(b"\n") for block in read)
