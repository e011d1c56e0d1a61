"""When to ask again and how long to wait: the one retry policy, as arithmetic.

Takes an answer or a network failure, the number of attempts and the time; gives seconds to wait, or None to give up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from singerkit.rest.clock import date_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singerkit.rest.message import Answer

_EPOCH_FROM = 1_000_000_000  # a reset header above this is a moment, below it a number of seconds
_EPOCH_MS_FROM = 1_000_000_000_000  # and above this the moment is in milliseconds
_RESET_HEADERS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-sentry-rate-limit-reset")
_REMAINING_HEADERS = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How patient the client is; all times in seconds."""

    attempts: int = 8
    """How often a request is sent before the run gives up on it."""
    deadline_s: float = 900
    """How long one request may take with all its repeats and waits."""
    longest_wait_s: float = 300
    """The longest wait that a server may ask for; a longer one ends the request."""
    base_s: float = 1
    """The first wait where the server names none; it doubles with each attempt, up to 60 s."""
    reset_header: str | None = None
    """The vendor's own name for the header that says when its quota is full again."""
    remaining_header: str | None = None
    """The vendor's own name for the header that says how many requests are left."""


def wait_for(
    policy: Policy, answer: Answer | None, attempt: int, now: datetime, luck: float, least_s: float = 0
) -> float | None:
    """Return how long to wait before attempt + 1, or None where the server asks for more than the policy allows.

    `answer` is None after a failure of the network; `luck`, between 0 and 1, spreads the waits of many clients;
    `least_s` is the first wait that the row asks for.
    """
    asked = asked_wait(policy, answer.headers, now) if answer is not None else None
    if asked is not None:
        return asked + luck * min(1.0, policy.base_s) if asked <= policy.longest_wait_s else None
    doubled = 2.0 ** (attempt - 1)
    backoff = min(60.0, policy.base_s * doubled) * (0.5 + luck / 2)
    return float(max(backoff, min(least_s * doubled, policy.longest_wait_s)))


def asked_wait(policy: Policy, headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that an answer asks us to wait, by Retry-After or by a reset header, or None.

    Its dates are by its server's clock, which it may tell; `now` is the time where it does not.
    """
    now = date_of(headers) or now
    if (value := headers.get("retry-after")) and (wait := _seconds_or_date(value, now)) is not None:
        return wait
    left = remaining(policy, headers)
    return _until_reset(policy, headers, now) if left is None or left <= 0 else None


def pause_before_wall(policy: Policy, headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long to hold all requests because the quota is used up, or None while there is some left."""
    left = remaining(policy, headers)
    return _until_reset(policy, headers, date_of(headers) or now) if left is not None and left <= 0 else None


def remaining(policy: Policy, headers: Mapping[str, str]) -> float | None:
    """Return how many requests the vendor says are left, or None."""
    names = (policy.remaining_header.lower(),) if policy.remaining_header else _REMAINING_HEADERS
    return next((float(m[0]) for n in names if (m := re.match(r"\d+", headers.get(n, "")))), None)


def _until_reset(policy: Policy, headers: Mapping[str, str], now: datetime) -> float | None:
    names = (policy.reset_header.lower(),) if policy.reset_header else _RESET_HEADERS
    value = next((headers[name] for name in names if name in headers), "")
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        return _seconds_or_date(value, now) if value else None
    number = float(value) / (1000 if float(value) >= _EPOCH_MS_FROM else 1)
    return max(0.0, number - now.timestamp()) if number >= _EPOCH_FROM else number


def _seconds_or_date(value: str, now: datetime) -> float | None:
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the server's own invention: our backoff knows better than a guess
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
