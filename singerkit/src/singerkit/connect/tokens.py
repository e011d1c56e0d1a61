"""The token file: tokens of one login on disk, for one owner, never half written, one writer at a time.

Takes and gives Tokens. Refuses a file that others can read, is another's, or is not a token file.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singerkit.connect.oauth import Tokens
from singerkit.errors import CredentialsError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_VERSION = 1


class TokenFile:
    """A file of mode 0600 that holds the tokens of one login; `login` is the command that makes a new one."""

    def __init__(self, path: Path, login: str) -> None:
        self.path = Path(os.path.realpath(path.expanduser()))  # a link stays a link when the file is replaced
        self._login = login

    def read(self) -> Tokens:
        """Return the tokens, or say why they cannot be used."""
        try:
            with self.path.open("rb") as file:
                self._refuse_shared(os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError as error:
            raise CredentialsError("nobody is logged in", token_file=self.path, remedy=f"run {self._login}") from error
        except OSError as error:
            raise CredentialsError(
                f"the token file cannot be read: {error.strerror}",
                token_file=self.path,
                remedy="check its owner and rights",
            ) from error
        return self._parsed(content)

    def write(self, tokens: Tokens) -> None:
        """Replace the tokens; when this returns they are on disk, and at no moment is there half a file.

        1. write a new file beside it, 0600 from the first byte  2. fsync it  3. rename it  4. fsync the folder
        """
        content = json.dumps({"version": _VERSION, **_plain(tokens)}, indent=1).encode()
        with self._writing():
            self._replace(content)

    def delete(self) -> bool:
        """Remove the tokens; return whether there were any."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one, of all processes and threads, that renews these tokens.

        The lock has a file of its own: the token file is another file after each write.
        """
        with self._writing():
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # the lock goes with it, also when the process is killed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise SettingsError(
                f"the token file cannot be written: {error.strerror}", token_file=self.path, remedy="check its folder"
            ) from error

    def _replace(self, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # 1: mkstemp makes 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # 2
            Path(name).replace(self.path)  # 3
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # 4
        finally:
            os.close(folder)

    def _refuse_shared(self, status: os.stat_result) -> None:
        if status.st_mode & _OTHERS:
            raise CredentialsError(
                "the token file can be read by others",
                token_file=self.path,
                mode=f"{stat.S_IMODE(status.st_mode):04o}",
                remedy=f"chmod 600 it if nobody has read it; otherwise run {self._login}",
            )
        if status.st_uid != os.geteuid():
            raise CredentialsError("the token file belongs to another user", token_file=self.path)

    def _parsed(self, content: bytes) -> Tokens:
        try:
            given = json.loads(content)
            if given.pop("version") != _VERSION:
                raise ValueError
            times = {name: _time(given[name]) for name in ("issued_at", "expires_at")}
            return Tokens(**{**given, **times, "scopes": tuple(given["scopes"])})
        except (ValueError, TypeError, KeyError, AttributeError):  # from None: its text may quote the content
            raise CredentialsError(
                "the token file is not one of this version", token_file=self.path, remedy=f"run {self._login}"
            ) from None


def _plain(tokens: Tokens) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(tokens).items()}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
