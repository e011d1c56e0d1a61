"""No secret leaves by a log: values of secret settings are replaced in every line, tracebacks included.

Takes the configuration and its schema; gives a filter for logging handlers. Acts before any truncation.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"
_SHORTEST = 4  # below this a value is a word of the language, and replacing it would only blur the log


def secret_values(config: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    """Return the texts of secret settings and the passwords inside addresses, in the forms that logs show them."""
    return {form for value in _secrets(config, schema) for form in _forms(value) if len(form) >= _SHORTEST}


def hide(secrets: Iterable[str]) -> None:
    """Mask more secrets from now on, in whatever this process logs: tokens that a run has been given."""
    forms = {form for value in secrets for form in _forms(value) if len(form) >= _SHORTEST}
    for handler in logging.getLogger().handlers:
        known = next((f for f in handler.filters if isinstance(f, RedactingFilter)), None)
        if known is None:
            handler.addFilter(RedactingFilter(forms))
        else:
            known.secrets |= forms


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced, the longest first, so that no tail of one stays."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


class RedactingFilter(logging.Filter):
    """Replaces the secrets in whatever a handler is about to write."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self.secrets = frozenset(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; every record passes."""
        record.msg, record.args = redact(record.getMessage(), self.secrets), ()
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info), self.secrets)
        return True


def _secrets(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for name, prop in schema.get("properties", {}).items():
        value = config.get(name)
        if isinstance(value, str):
            if prop.get("secret"):
                yield value
            if "://" in value and (password := _password_of(value)):
                yield password
        elif isinstance(value, dict) and prop.get("secret"):
            yield from (str(v) for v in value.values() if v is not None)
        elif isinstance(value, dict):
            yield from _secrets(value, prop)


def _password_of(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:  # not an address after all
        return None


def _forms(value: str) -> Iterator[str]:
    yield from (value, unquote(value), quote(value), quote(value, safe=""), quote_plus(value))
    yield json.dumps(value)[1:-1]
    yield base64.b64encode(value.encode()).decode()
