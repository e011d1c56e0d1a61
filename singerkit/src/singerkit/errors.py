"""The error tree: what went wrong, where, what to do about it, and the exit code that tells a scheduler who can act.

Takes a sentence, facts and a remedy; gives one line of text. Refuses nothing: it is raised at the walls, with `from`.
"""

from __future__ import annotations

from typing import ClassVar


class SingerkitError(Exception):
    """An end of the run that a person can act on: one line, no traceback.

    `where` are facts (stream, file, host), never a value of a setting or a record; `remedy` says what to do.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, remedy: str = "", **where: object) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.where = where

    def __str__(self) -> str:
        """Return `what (fact=value, ...); remedy` as one line."""
        facts = ", ".join(f"{name}={value}" for name, value in self.where.items() if value is not None)
        text = f"{self.what} ({facts})" if facts else self.what
        text = f"{text}; {self.remedy}" if self.remedy else text
        return " ".join(text.split())


class SettingsError(SingerkitError):
    """The settings, the catalog or the state that were given cannot be used."""

    exit_code = 2


class StreamsFailedError(SingerkitError):
    """Some streams failed; the others are complete and their bookmarks have moved."""

    exit_code = 3


class SafetyStopError(SingerkitError):
    """Going on would break a contract, a threshold or a key; nothing was written that would."""

    exit_code = 4


class CredentialsError(SingerkitError):
    """The other side knows us not, or does not let us read this."""

    exit_code = 5


class UnavailableError(SingerkitError):
    """The other side could not be reached, or stopped answering, after the retries."""

    exit_code = 6


class StoreError(SingerkitError):
    """The store failed: disk, object store or Delta table."""

    exit_code = 7


class StoppedError(SingerkitError):
    """A signal cut the run short; what is not bookmarked is read again by the next run."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by signal {signum}", remedy="the next run goes on from the last STATE")
        self.signum = signum

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # known only with the signal
        """The shell's convention: 128 and the number of the signal."""
        return 128 + self.signum
