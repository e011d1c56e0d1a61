"""The one retry layer: signs, sends, asks the rules, and asks again as the policy says.

Takes requests; gives answers with a verdict. Refuses to carry a credential to another origin, and to wait for ever.
"""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import tenacity

from singerkit.errors import SettingsError
from singerkit.rest import retry
from singerkit.rest.clock import Clock
from singerkit.rest.gate import Gate
from singerkit.rest.message import Answer, Request, origin
from singerkit.rest.refusals import Sending, foreign, gave_up, refused
from singerkit.rest.rules import fitting, verdict
from singerkit.rest.transport import Transport
from singerkit.settings.secrets import MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from singerkit.connect.hosts import HostGuard
    from singerkit.rest.endpoint import Source
    from singerkit.rest.retry import Policy
    from singerkit.rest.rules import Verdict
    from singerkit.rest.transport import Exchange
    from singerkit.rest.unchanged import Unchanged

logger = logging.getLogger("singerkit.rest")


class StoppingError(Exception):
    """The run ends: a thread that waits is to leave."""


class _AgainError(Exception):
    """One attempt failed in a way that passes."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True)
class _Asking:
    """One request on its way through the attempts."""

    request: Request
    sending: Sending
    signed: bool
    begun_s: float


@dataclass
class Counts:
    """What was sent for one stream; threads wait side by side, so their waiting adds up to more than time passes."""

    requests: int = 0
    retries: int = 0
    skipped: int = 0
    """Answers that a rule passes over: a parent that is gone, a feature that is off."""
    waiting_s: float = 0.0


class Client:
    """Sends requests to one source; safe to use from many threads."""

    def __init__(
        self,
        source: Source,
        *,
        redact: Callable[[str], str] = str,
        guard: HostGuard | None = None,
        timeout_s: float = 60,
        unchanged: Unchanged | None = None,
    ) -> None:
        self.source = source
        self.redact = redact
        self.home = _home(source.base_url)
        self.clock = Clock()
        self.gate = Gate(source.rate_limit)
        self.transport = Transport(
            guard=guard, timeout_s=timeout_s, connections=source.concurrency, unchanged=unchanged
        )
        self.stopping = threading.Event()
        self.counts = Counts()
        self.counting = threading.Lock()
        self.signer = source.auth.signer(lambda request: self._asked(request, Sending(is_login=True), signed=False)[1])

    def send(self, request: Request, sending: Sending | None = None) -> tuple[Verdict, Answer]:
        """Return an answer that may be read, ignored or ends something; every other end is an error.

        1. Wait for a turn. 2. Sign, send, follow redirects. 3. Renew a refused credential once. 4. Ask the rules.
        5. Wait and begin again, as long as the policy has patience.
        """
        return self._asked(request, sending or Sending(), signed=True)

    def for_stream(self) -> Client:
        """Return this client with a stop and a count of its own; connections, quota and credentials stay shared."""
        own = copy.copy(self)
        own.stopping, own.counts = threading.Event(), Counts()
        return own

    def stop(self) -> None:
        """End every wait, now and later: threads leave with StoppingError."""
        self.stopping.set()

    def look(self) -> None:
        """Raise StoppingError once `stop` was called."""
        if self.stopping.is_set():
            raise StoppingError

    def _asked(self, request: Request, sending: Sending, *, signed: bool) -> tuple[Verdict, Answer]:
        asking = _Asking(request, sending, signed, time.monotonic())
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            wait=lambda state: state.outcome.exception().wait_s,  # type: ignore[union-attr]  # it failed
            stop=tenacity.stop_after_attempt(self.source.policy.attempts),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    return self._attempt(asking, attempt.retry_state.attempt_number)
        except _AgainError as error:
            raise gave_up(request, sending, str(error)) from error
        raise AssertionError("tenacity returns or raises")

    def _attempt(self, asking: _Asking, number: int) -> tuple[Verdict, Answer]:
        # 1.
        self._sleep(self.gate.turn(time.monotonic()))
        # 2.
        came = self._exchanged(asking)
        # 3.
        if came.answer and came.answer.status == 401 and asking.signed and self._renewed(asking, came):
            came = self._exchanged(asking)
        # 4.
        said, say = verdict(came.answer, asking.sending.rules) if came.answer else ("retry", "")
        if came.answer is None or said in {"retry", "hold"} or came.why:
            # 5.
            raise self._again(asking, came, number)
        if said == "fail":
            raise refused(asking.request, asking.sending, came.answer, say, self._redacted)
        self._mind_quota(asking, came.answer, came.sent)
        if said == "ignore":
            with self.counting:
                self.counts.skipped += 1
        return said, came.answer

    def _exchanged(self, asking: _Asking) -> Exchange:
        with self.counting:
            self.counts.requests += 1
        came = self.transport.exchange(asking.request, self._signed if asking.signed else lambda request: request)
        if came.answer and asking.signed and origin(came.sent.url) == self.home:
            self.signer.noted(came.sent, retry.remaining(self.source.policy, came.answer.headers))
            self.clock.saw(came.answer.headers, datetime.now(UTC))
        return came

    def _renewed(self, asking: _Asking, came: Exchange) -> bool:
        """Return whether a refusal that no rule explains has led to another credential."""
        explained = any(rule.fits(came.answer) for rule in asking.sending.rules if came.answer)
        return not explained and origin(came.sent.url) == self.home and self.signer.renew(came.sent)

    def _signed(self, request: Request) -> Request:
        """Return the request with credentials and the source's headers, but only for the source's own origin."""
        if origin(request.url) != self.home:
            if request.body is not None:
                raise foreign(request, request.url)
            return replace(request, headers={})
        return self.signer.sign(replace(request, headers={**self.source.headers, **request.headers}))

    def _again(self, asking: _Asking, came: Exchange, number: int) -> Exception:
        """Return the error that makes the next attempt, or the one that ends them."""
        policy, answer = self.source.policy, came.answer
        why = came.why or f"it answers {answer.status if answer else 'nothing'}"
        rule = fitting(answer, asking.sending.rules) if answer else None
        least_s = rule.wait_s if rule else 0
        wait = retry.wait_for(policy, answer, number, datetime.now(UTC), random.random(), least_s)  # noqa: S311  # no secret
        if wait is None:
            return gave_up(asking.request, asking.sending, f"{why} and asks for a longer wait than is allowed")
        if answer is not None and ((rule and rule.action == "hold") or _out_of_quota(policy, answer)):
            wait = self._held(asking, came.sent, wait)
        if time.monotonic() - asking.begun_s + wait > policy.deadline_s:
            return gave_up(asking.request, asking.sending, f"{why}; the deadline is reached")
        logger.info("waiting stream=%s why=%r attempt=%d wait_s=%.1f", asking.sending.stream, why, number, wait)
        with self.counting:
            self.counts.retries += 1
        return _AgainError(why, wait)

    def _mind_quota(self, asking: _Asking, answer: Answer, sent: Request) -> None:
        pause = retry.pause_before_wall(self.source.policy, answer.headers, datetime.now(UTC))
        if pause and pause <= self.source.policy.longest_wait_s:
            wait = self._held(asking, sent, pause)
            logger.info("waiting stream=%s why='quota used up' wait_s=%.1f", asking.sending.stream, wait)

    def _held(self, asking: _Asking, sent: Request, for_s: float) -> float:
        """Hold all threads while this credential is out of quota, or until another one is not; return how long."""
        at_home = asking.signed and origin(sent.url) == self.home
        wait = self.signer.blocked(sent, for_s) if at_home else for_s
        self.gate.hold(time.monotonic() + wait)
        return wait

    def _redacted(self, text: str) -> str:
        for secret in self.signer.secrets():
            text = text.replace(secret, MASK)
        return self.redact(text)

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self.counting:
                self.counts.waiting_s += seconds
            if self.stopping.wait(seconds):
                raise StoppingError
        self.look()


def _home(base_url: str) -> tuple[str, str, int | None]:
    try:
        return origin(base_url)
    except ValueError as error:
        raise SettingsError("the base address is no address", remedy="write it like https://api.example.com") from error


def _out_of_quota(policy: Policy, answer: Answer) -> bool:
    """Return whether an answer concerns the credential's quota; some vendors say so by 403 and a header."""
    return answer.status == 429 or retry.pause_before_wall(policy, answer.headers, datetime.now(UTC)) is not None
