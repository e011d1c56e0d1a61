"""MD5 of a whole column, as a number modulo a count: which of so many parts a text belongs to.

Takes texts as bytes; gives one number each, the same as `int(hashlib.md5(text).hexdigest(), 16) % count`. Pure.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

_BYTES = 64  # of a block
_BLOCK = 56  # bytes from which on a message needs a second block, with its length
_TOGETHER = 16_384  # rows whose words stay in the processor's cache; fewer cost calls, more cost memory
_WORD = 32
_START: Sequence[int] = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SINES = (np.abs(np.sin(np.arange(1, 65))) * 2**32).astype(np.uint32)  # RFC 1321, 3.4
_TURNS = np.array([(7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)], dtype=np.uint32)
_STEPS = ((1, 0), (5, 1), (3, 5), (7, 0))
"""Which word a round takes next, and where it begins."""


def remainders(texts: pa.BinaryArray, count: int) -> NDArray[np.int64]:
    """Return the MD5 of each text (none is NULL), read as one number of 128 bits, modulo `count` (up to 2^31)."""
    result = np.zeros(len(texts), dtype=np.int64)
    for start in range(0, len(texts), _TOGETHER):
        result[start : start + _TOGETHER] = _some(texts.slice(start, _TOGETHER), count)
    return result


def _some(texts: pa.BinaryArray, count: int) -> NDArray[np.int64]:
    _, offsets, content = texts.buffers()
    edges = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(edges)
    numbers = _remainder(_digest(_blocks(np.frombuffer(content or b"", dtype=np.uint8), edges)), count)
    for place in np.flatnonzero(lengths >= _BLOCK):
        digest = hashlib.md5(texts[int(place)].as_py(), usedforsecurity=False).digest()
        numbers[place] = int.from_bytes(digest) % count
    return numbers


def _blocks(content: NDArray[np.uint8], edges: NDArray[np.int32]) -> Words:
    """Return the sixteen words of each message, padded as MD5 asks: a one bit, zeros, the length in bits.

    A longer message leaves what is not its block: it is looked at alone.
    """
    lengths = np.minimum(np.diff(edges), _BLOCK - 1)
    rows = np.arange(len(lengths)) * _BYTES
    blocks = np.zeros(len(lengths) * _BYTES, dtype=np.uint8)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    blocks[np.repeat(rows, lengths) + within] = content[np.repeat(edges[:-1], lengths) + within]
    blocks[rows + lengths] = 0x80
    words = np.ascontiguousarray(blocks.view("<u4").reshape(-1, _BYTES // 4).T)
    words[14] = lengths * 8
    return words


def _digest(words: Words) -> list[Words]:
    """Return the four words of the MD5 of each message of one block (RFC 1321, 3.4)."""
    first = [np.full(words.shape[1], word, dtype=np.uint32) for word in _START]
    a, b, c, d = first
    for turn in range(64):
        kind = turn // 16
        step, offset = _STEPS[kind]
        total = _mixed(kind, b, c, d) + a + _SINES[turn] + words[(step * turn + offset) % 16]
        by = _TURNS[kind][turn % 4]
        a, d, c, b = d, c, b, b + (total << by | total >> (np.uint32(_WORD) - by))
    return [one + other for one, other in zip(first, (a, b, c, d), strict=True)]


def _mixed(kind: int, b: Words, c: Words, d: Words) -> Words:
    match kind:
        case 0:
            return d ^ (b & (c ^ d))
        case 1:
            return c ^ (d & (b ^ c))
        case 2:
            return b ^ c ^ d
        case _:
            return c ^ (b | ~d)


def _remainder(words: Sequence[Words], count: int) -> NDArray[np.int64]:
    rest = np.zeros(len(words[0]), dtype=np.uint64)
    for word in words:
        rest = (rest << np.uint64(_WORD) | word.byteswap().astype(np.uint64)) % np.uint64(count)
    return rest.astype(np.int64)
