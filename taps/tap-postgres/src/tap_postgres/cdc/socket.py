"""The replication connection: the one file that speaks on its socket.

Takes commands; gives the messages of a slot as they come. Refuses to confirm anything by itself: what the server is
told to forget is what the caller says is stored.
"""

from __future__ import annotations

import contextlib
import selectors
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singerkit.errors import SafetyStopError, SettingsError, UnavailableError
from tap_postgres.cdc import lsn as positions
from tap_postgres.cdc.pgoutput import ProtocolError
from tap_postgres.cdc.position import Identity
from tap_postgres.connect import SESSION, parameters, patient
from tap_postgres.failures import translated
from tap_postgres.reach import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from psycopg.pq.abc import PGresult

    from singerkit.connect.route import Route
    from tap_postgres.settings import Settings

_EPOCH_US = 946_684_800_000_000
_STATUS = struct.Struct(">cQQQqB")
_DATA = struct.Struct(">QQq")
_KEEPALIVE = struct.Struct(">QqB")
LOOK_S = 0.5
HEADER = 25  # bytes before the message of the plugin
_ROWS = ord("w")
SENDER_TIMEOUT = "1h"
"""How long the server waits for a word of ours: a loader may take its time over a commit, and nobody speaks then."""
_VERSIONS = ((160000, 4), (150000, 3), (140000, 2))


class AnotherServerError(UnavailableError):
    """A replica was promoted, or the address leads elsewhere now: opening the connection again does not help."""


@dataclass(frozen=True)
class Created:
    """A slot that has just been made: its first position, and the snapshot that goes with it."""

    lsn: int
    snapshot: str


@dataclass(frozen=True)
class Keepalive:
    """The server has sent everything up to this position."""

    position: int


class Replication:
    """One connection in replication mode; closed by `close`, or by leaving a `with`.

    `look` is called now and then while the server is waited for, and raises where the run is to stop.
    """

    def __init__(self, settings: Settings, route: Route | None, look: Callable[[], None] = lambda: None) -> None:
        import psycopg
        from psycopg.conninfo import make_conninfo

        self._look, self._patience_s = look, settings.initial_waiting_s
        self._params = parameters(settings) | {"replication": "database"}
        with translated(self._params):
            conninfo = make_conninfo(**reached(self._params, route))
            self._connection: psycopg.Connection[Any] = patient(
                lambda: psycopg.connect(conninfo, autocommit=True), self._params, route
            )
        self._pgconn = self._connection.pgconn
        self._received = 0
        self._newest = bytes(HEADER)
        """The last message: where it lies is looked at only when the server is told."""
        self._answer = False
        idle = {"idle_session_timeout": "0"} if self.server_version >= 140000 else {}
        for name, value in {**SESSION, **idle, "wal_sender_timeout": SENDER_TIMEOUT}.items():
            self._run(f"SET {name} = {_literal(value)}")

    def __enter__(self) -> Replication:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the slot stays where it was confirmed last."""
        with contextlib.suppress(Exception):  # it is given up, whatever state it is in
            self._connection.close()

    @property
    def server_version(self) -> int:
        """The server's version as a number: 180001."""
        return int(self._pgconn.server_version)

    def identify(self) -> Identity:
        """Return the number that tells this cluster from all others, and the timeline that it is on."""
        system, timeline, *_ = self._run("IDENTIFY_SYSTEM")
        return Identity(system, int(timeline))

    def history(self, timeline: int) -> str:
        """Return which timelines a timeline comes from, and where each of them ended."""
        return self._run(f"TIMELINE_HISTORY {timeline:d}")[1] if timeline > 1 else ""

    def create_slot(self, name: str, *, temporary: bool = False) -> Created:
        """Make a slot and export the snapshot of its first position, which dies at the next command on this connection.

        A temporary slot ends with the connection.
        """
        words = f"CREATE_REPLICATION_SLOT {_quoted(name)}{' TEMPORARY' if temporary else ''} LOGICAL pgoutput "
        old = self.server_version < 150000
        row = self._run(words + ("EXPORT_SNAPSHOT" if old else "(SNAPSHOT 'export')"))
        return Created(positions.from_text(row[1]), row[2])

    def start(self, slot: str, publication: str, begin: int, *, streaming: bool) -> None:
        """Ask for the messages of a slot, of all transactions that commit at `begin` or later."""
        options = {"proto_version": str(self._protocol), "publication_names": _quoted(publication)}
        if streaming and self._protocol >= 2:
            options["streaming"] = "on"
        words = ", ".join(f"{name} {_literal(value)}" for name, value in options.items())
        command = f"START_REPLICATION SLOT {_quoted(slot)} LOGICAL {positions.to_text(begin)} ({words})"
        with translated(self._params):
            result = self._result(command, self._patience_s)
            if result is None:
                raise self._ended()
            if result.status != _COPY_BOTH:
                raise _refused(result, slot)

    def messages(self, wait_s: float) -> Iterator[bytes | Keepalive]:
        """Yield what the server has sent, until it is silent for `wait_s`; data still has its header of 25 bytes."""
        deadline = time.monotonic() + wait_s
        with translated(self._params), selectors.DefaultSelector() as selector:
            selector.register(self._pgconn.socket, selectors.EVENT_READ)
            take = self._pgconn.get_copy_data
            while True:
                size, data = take(1)
                if size > 0:
                    yield self._read(bytes(data))
                elif size < 0:
                    raise self._ended()
                elif selector.select(max(0.0, deadline - time.monotonic())):
                    self._pgconn.consume_input()
                else:
                    return

    def tell(self, confirmed: int, *, ask: bool = False) -> None:
        """Say what has been received, and that everything up to `confirmed` is stored; `ask` wants an answer."""
        now_us = int(time.time() * 1_000_000) - _EPOCH_US
        self._received = received = max(self._received, _DATA.unpack_from(self._newest, 1)[0], confirmed)
        with translated(self._params):
            self._pgconn.put_copy_data(_STATUS.pack(b"r", received, confirmed, confirmed, now_us, int(ask)))
            while self._pgconn.flush():
                self._pgconn.consume_input()
        self._answer = False

    @property
    def wants_answer(self) -> bool:
        """Whether the server has asked for a word."""
        return self._answer

    @property
    def _protocol(self) -> int:
        return next((version for since, version in _VERSIONS if self.server_version >= since), 1)

    def _read(self, data: bytes) -> bytes | Keepalive:
        if data[0] == _ROWS and len(data) >= HEADER:
            self._newest = data
            return data
        kind = data[:1]
        if kind != b"k":
            raise ProtocolError(f"the envelope {kind!r} is not known, or ends early", 0)
        try:
            position, _, answer = _KEEPALIVE.unpack_from(data, 1)
        except struct.error as error:
            raise ProtocolError(f"the envelope {kind!r} ends early", len(data)) from error
        self._received = max(self._received, position)
        self._answer = self._answer or bool(answer)
        return Keepalive(position)

    def _ended(self) -> UnavailableError:
        """Return why the server ended the stream by itself: it is being stopped, or has an error to tell."""
        result = self._pgconn.get_result()
        text = result.error_message.decode(errors="replace") if result is not None else ""
        first = text.strip().splitlines()[0] if text.strip() else "the server ended the replication stream"
        return UnavailableError(first, remedy="see the server's log; the next run goes on where this one was")

    def _run(self, command: str) -> list[str]:
        """Run one command by the simple protocol, the only one that this mode knows, and return its first row."""
        import psycopg

        with translated(self._params):
            result = self._result(command)
            if result is None:
                raise self._ended()
            if result.status not in {_COMMAND_OK, _TUPLES_OK}:
                raise psycopg.errors.lookup((result.error_field(_SQLSTATE) or b"XX000").decode())(
                    result.error_message.decode(errors="replace")
                )
            if not result.ntuples:
                return []
            return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]

    def _result(self, command: str, patience_s: float = float("inf")) -> PGresult | None:
        """Send a command and wait for its answer: a slot is made when all transactions that are open have ended."""
        until = time.monotonic() + patience_s
        self._pgconn.send_query(command.encode())
        with selectors.DefaultSelector() as selector:
            selector.register(self._pgconn.socket, selectors.EVENT_READ)
            while self._pgconn.is_busy():
                self._look_up()
                if time.monotonic() > until:
                    raise silent(patience_s)
                if selector.select(LOOK_S):
                    self._pgconn.consume_input()
        result: PGresult | None = self._pgconn.get_result()
        while result is not None and result.status != _COPY_BOTH and self._pgconn.get_result() is not None:
            pass  # up to the end of the command's answers: the next one may be sent then
        return result

    def _look_up(self) -> None:
        """Look whether the run is to stop; the server would go on to wait for others, and make a slot for nobody."""
        try:
            self._look()
        except BaseException:
            with contextlib.suppress(Exception):  # the connection may be what is wrong
                self._pgconn.get_cancel().cancel()
            raise


def silent(waited_s: float) -> UnavailableError:
    """Return the error of a server that has not said a word."""
    return UnavailableError(
        f"the server has said nothing for {waited_s:g} s",
        remedy="raise initial_waiting_s; see whether it writes much and decodes slowly (pg_stat_replication)",
    )


_COMMAND_OK, _TUPLES_OK, _COPY_BOTH = 1, 2, 8  # libpq's ExecStatusType
_SQLSTATE = ord("C")


def _refused(result: Any, slot: str) -> Exception:
    text = result.error_message.decode(errors="replace").strip().splitlines()
    first = text[0].removeprefix("ERROR:").strip() if text else "the server refused"
    if "is active for PID" in first:
        remedy = "another run reads this slot: wait for it or stop it; two consumers need two slots"
        return UnavailableError(first, slot=slot, remedy=remedy)
    if "can no longer" in first or "invalidated" in first or "has been removed" in first:
        return SafetyStopError(f"changes are lost: {first}", slot=slot, remedy="see the setting on_lost; run again")
    return SettingsError(first, slot=slot, remedy="see `cdc check`")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
