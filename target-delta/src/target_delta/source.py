"""A pipe, a file or text in memory -> blocks of whole lines, as soon as they are there.

Takes a binary or text file object; gives blocks, and None where the input pauses. Refuses an input that is closed: what
the lines say is the business of others.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
from typing import IO, TYPE_CHECKING, Any

from singerkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 19  # bytes a read: smaller costs calls, larger leaves the processor's cache (docs/explanation)
PIPE = 1 << 20  # bytes: Linux lends a pipe this much without privileges; its own default is 64 KiB
PAUSE_S = 0.2  # after this silence the caller may flush
SILENCE_S = 1.0  # and is asked again this often, so that ages and signals are looked at
_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ; absent on other systems than Linux


def blocks(source: IO[Any] | None) -> Iterator[bytes | None]:
    """Return blocks that end with a whole line, and None where nothing came for PAUSE_S and every SILENCE_S after it.

    A last line without a newline is a line. A real descriptor is read as its bytes come, never waiting for a full
    block; anything else (StringIO, BytesIO) is read as one.
    """
    if source is None:  # Python's standard input, where the process was started without one
        raise SettingsError("there is no input", remedy="let a tap write into this process, or give a file by --input")
    binary: Any = getattr(source, "buffer", source)
    try:
        descriptor = binary.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return _whole(binary)
    return _lines(binary, descriptor)


def _whole(source: IO[Any]) -> Iterator[bytes]:
    content = source.read()
    yield content.encode() if isinstance(content, str) else content


def _lines(source: IO[Any], descriptor: int) -> Iterator[bytes | None]:
    _widen(descriptor)
    parts: list[bytes] = []  # of a line that is longer than a block
    patience = PAUSE_S
    while True:
        if not select.select([descriptor], [], [], patience)[0]:
            patience = SILENCE_S
            yield None
            continue
        patience = PAUSE_S
        read = os.read(descriptor, BLOCK)
        if not read:
            del source  # held until here: a file object that nobody holds closes its descriptor
            break
        end = read.rfind(b"\n") + 1
        if not end:
            parts.append(read)
            continue
        yield b"".join([*parts, memoryview(read)[:end]])  # one copy
        parts = [read[end:]]
    if rest := b"".join(parts):
        yield rest


def _widen(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE)
    except OSError:  # a file, or the user's pipes are used up: slower, nothing else
        return
