"""Bodies to values: JSON with the digits that numbers came with, and what servers send that a strict reader refuses.

Takes bytes; gives values. Refuses what is no JSON, NaN included, as ValueError: a body that was cut is one. Pure.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

_STRICT = msgspec.json.Decoder(float_hook=Decimal)  # the literal's digits, not a double's
_HALF = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def decoded(content: bytes) -> Any:
    """Return the value of a body, None for an empty one.

    A byte order mark and UTF-16 are read. Half of a surrogate pair, which no table can hold, becomes U+FFFD: a text
    that was cut in the middle of a character must not stop its stream for ever.
    """
    if not content.strip():
        return None
    try:
        return _STRICT.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return _whole(json.loads(content, parse_float=Decimal, parse_constant=_refuse))
        except RecursionError as error:
            raise ValueError("too deep") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value
