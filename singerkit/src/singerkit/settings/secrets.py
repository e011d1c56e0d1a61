"""No secret leaves this process by a text: whatever is logged, raised or reported is masked, by value and by name.

Takes secrets as they become known; gives texts without them. Acts on whole texts, before anything is cut off.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import sys
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, quote_plus, unquote, urlsplit

from singerkit.settings.kinds import sounds_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MASK = "***"
_SHORTEST = 4  # below this a value is a word of the language, and replacing it would only blur the log
_LONG = 12  # from here on a part of a secret is no word of the language either
_LEAST_NAMED = 8  # only its name says that it is a secret: a short one is likelier a word
_PLACEHOLDER = re.compile(r"\{\w+\}")  # it stands for a setting, whose own value is known
_ESCAPE = re.compile("%[0-9A-F]{2}")
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_NAME = r"[\w.-]{0,40}(?:token|secret|pass|key|credential|authorization|cookie)[\w.-]{0,40}"
_QUOTED = re.compile(
    rf"""(?P<head>(?P<q>["'])(?P<name>{_NAME})(?P=q)\s*:\s*(?P<v>["']))(?:\\.|(?!(?P=v)).)+""",
    re.IGNORECASE | re.DOTALL,
)
_ASSIGNED = re.compile(rf"""(?P<head>\b(?P<name>{_NAME})=)(?P<quote>["']?)[^\s&;,"')\]}}]+(?P=quote)""", re.IGNORECASE)
_HEADER = re.compile(
    r"""(?P<head>\b(?P<name>[\w-]*(?:authorization|cookie|api-key|token)):[ ]?)(?P<scheme>\w+ )?[^\s,;"']{8,}""",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?P<head>\b[\w+.-]+://[^\s/:@]*:)[^\s@/]+(?=@)")
_HARMLESS = frozenset({"true", "false", "null", "none", "missing"})

_known: tuple[str, ...] = ()


def hide(secrets: Iterable[str]) -> None:
    """Mask more secrets from now on, in whatever this process says: of settings, and tokens that a run is given."""
    global _known  # noqa: PLW0603  # a process has one set of secrets, and many ways out
    kept = (value for value in secrets if value.lower() not in _HARMLESS)  # a switch among the options of a store
    found = {form for value in kept for form in _forms(value) if len(form) >= _SHORTEST}
    _known = tuple(sorted({*_known, *found}, key=lambda form: (-len(form), form)))
    guard_logs()


def redacted(text: str) -> str:
    """Return a text without the secrets that this process knows, and without what a name in it says to be one."""
    return by_name(masked(text))


def masked(text: str) -> str:
    """Return a text without the secrets that this process knows."""
    return redact(text, _known)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced, the longest first, so that no tail of one stays."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def by_name(text: str) -> str:
    """Return the text without values that stand behind a secret's name: in JSON, queries, headers and addresses."""
    for pattern in (_QUOTED, _ASSIGNED, _HEADER):
        text = pattern.sub(_without_value, text)
    return _USER_INFO.sub(rf"\g<head>{MASK}", text)


def guard_logs() -> None:
    """Have every handler of every logger say nothing that is a secret, also in tracebacks and structured logs."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    for handler in (handler for one in loggers for handler in getattr(one, "handlers", ())):
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))


def guard_stderr() -> None:
    """Have what is written to stderr past the logs, by threads that die or by warnings, hold no secret either."""
    if not isinstance(sys.stderr, _RedactingStream):
        sys.stderr = _RedactingStream(sys.stderr, redacted)  # one for all who write


@contextlib.contextmanager
def guarded_stdout() -> Iterator[None]:
    """Have nothing that is printed inside the block hold a known secret; for verbs, whose answers are for eyes."""
    plain = sys.stdout
    sys.stdout = _RedactingStream(plain, masked)
    try:
        yield
    finally:
        sys.stdout = plain


def names_secret(name: str) -> bool:
    """Return whether what stands behind a name is a secret: of a setting, a parameter or a header."""
    return sounds_secret(name) or name.lower() in _HEADERS or "api-key" in name.lower()


def named_secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts inside of a value that stand behind a secret's name: `{"headers": {"Authorization": ...}}`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from named_secrets(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from named_secrets(inner, name)
    elif isinstance(value, str) and names_secret(name) and not _PLACEHOLDER.search(value):
        yield from (part for part in (value, value.rpartition(" ")[2]) if len(part) >= _LEAST_NAMED)


def passwords_in(address: str) -> Iterator[str]:
    """Yield the password inside an address."""
    try:
        password = urlsplit(address).password
    except ValueError:  # not an address after all
        return
    if password:
        yield password


class _Redacting(logging.Formatter):
    """Formats as another formatter does, and then masks: the text is whole, exceptions included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redacted(self._inner.format(record))


class _RedactingStream:
    """A stream of text that masks each piece it is given."""

    def __init__(self, inner: TextIO, mask: Callable[[str], str]) -> None:
        self._inner, self._mask = inner, mask

    def write(self, text: str) -> int:
        self._inner.write(self._mask(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would go past the mask; click looks for it where it distrusts an encoding
            raise AttributeError(name)
        return getattr(self._inner, name)


def _without_value(found: re.Match[str]) -> str:
    name, whole = found["name"], found[0]
    value = whole[len(found["head"]) :].strip("\"'")
    if not names_secret(name) or value.lower() in _HARMLESS or value.isdecimal():
        return whole
    return f"{found['head']}{MASK}"


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as a text may hold it: itself, on one line, line by line, escaped or encoded."""
    yield from (value, " ".join(value.split()), unquote(value))
    yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= _LONG and "-----" not in line)
    for encoded in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield from (encoded, _ESCAPE.sub(lambda found: found[0].lower(), encoded))
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], escape(value))
    yield from _in_base64(value.encode(errors="replace"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield what base64 makes of a secret: alone, and behind other bytes, as in `user:password`.

    Three bytes are four letters, so a secret behind others can begin in three ways; letters that also hold bits of its
    neighbours are left out.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret).decode()
        for before, first in enumerate((0, 2, 3)):
            whole = encode(bytes(before) + secret).decode()
            inner = whole[first : (before + len(secret)) * 8 // 6]
            if len(inner) >= _LONG:
                yield inner
