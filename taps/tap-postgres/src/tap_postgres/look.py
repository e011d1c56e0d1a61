"""Looks at a server before a sync: the way there, the login, and of each table the first row.

Takes the Settings and the route; gives steps for `check`, and connections for whoever looks at tables. Refuses to wait
as long as a sync would.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singerkit.ahead import ReadAhead
from singerkit.errors import CredentialsError, SettingsError, SingerkitError, UnavailableError
from tap_postgres.connect import catalog_connection, parameters
from tap_postgres.failures import TLS_REMEDY, translated
from tap_postgres.reach import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import psycopg

    from singerkit.checks.run import Step
    from singerkit.connect.route import Route
    from tap_postgres.settings import Settings

CONNECT_S = 5
STATEMENT_S = 5
FIRST_ROW_S, HURRY_S = 3.0, 0.4
"""A view that does not give its first row in this time is not proved to be readable.

Once one did not, the others have less: a check of fifty that are slow, or locked, ends within ten seconds.
"""


class Lookout:
    """Short connections to one server, opened when they are needed and used again by the next who looks."""

    def __init__(self, settings: Settings, route: Route) -> None:
        self.route = route
        self._own = settings
        self.settings = replace(
            settings,
            connect_timeout_s=min(CONNECT_S, settings.connect_timeout_s),
            statement_timeout_s=min(STATEMENT_S, settings.statement_timeout_s or STATEMENT_S),
        )
        self._idle: queue.SimpleQueue[psycopg.Connection[Any]] = queue.SimpleQueue()
        self._open = contextlib.ExitStack()
        self._opening = threading.Lock()
        self._refused: SingerkitError | None = None
        self._waited_in_vain = False

    def steps(self) -> Sequence[Step]:
        """Return the steps to the server; libpq takes the last two in one, and its error tells which one failed."""
        tunnel: list[Step] = [("tunnel", self._tunnel)] if self.settings.ssh_tunnel else [("network", self._network)]
        return [*tunnel, ("TLS", self._tls), ("credentials", self._credentials)]

    def has_rows(self, sql: str, stream: str) -> bool | None:
        """Return whether a query finds a row, or None where the server needs longer than it is given here."""
        given_s = min(
            HURRY_S if self._waited_in_vain else FIRST_ROW_S, self.settings.statement_timeout_s or STATEMENT_S
        )
        try:
            with (
                translated(parameters(self.settings), stream=stream),
                self.connection() as connection,
                connection.transaction(),
            ):
                connection.execute(f"SET LOCAL statement_timeout = {given_s * 1000:.0f}")
                return bool(connection.execute(sql).fetchall())
        except UnavailableError as error:
            if "stream" not in error.where:
                raise
            self._waited_in_vain = True
            return None

    def fetched(self, sql: str, stream: str) -> list[Any]:
        """Return the rows of a query about one stream, whose error it is where the query fails."""
        with translated(parameters(self.settings), stream=stream), self.connection() as connection:
            return connection.execute(sql).fetchall()

    def fetched_patiently(self, sql: str, stream: str, look: Callable[[], None]) -> list[Any]:
        """Return the rows of a query that goes through all rows of a stream: it may take as long as reading them.

        Where `look` raises meanwhile, the server is told to end it.
        """
        with translated(parameters(self._own), stream=stream), catalog_connection(self._own, self.route) as connection:

            def rows() -> Generator[list[Any], None, None]:
                yield connection.execute(sql).fetchall()

            with ReadAhead(rows(), cancel=connection.cancel, look=look) as answers:
                return next(iter(answers))

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection to the thread that asks; one that broke is not lent again."""
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            with self._opening:
                connection = self._open.enter_context(catalog_connection(self.settings, self.route))
        try:
            yield connection
        finally:
            if not connection.closed:
                self._idle.put(connection)

    def close(self) -> None:
        """Close all connections; the next one would be opened anew."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait()
        self._open.close()

    def __del__(self) -> None:
        """Close at last: singer-sdk's dry runs tell nobody that they are done."""
        self.close()

    def _tunnel(self) -> str:
        self.route.open()
        tunnel = self.settings.ssh_tunnel
        return f"through {tunnel.host}" if tunnel else ""

    def _network(self) -> str:
        """Connect to the first server of the list that answers; libpq itself looks for Unix sockets."""
        from singerkit.connect import sockets

        params = parameters(self.settings)
        listed = params.get("hostaddr") or params.get("host", "")
        if not listed or listed.startswith(("/", "@")):
            return f"by the socket in {listed}" if listed else "by libpq's own default"
        failed: OSError | None = None
        for name, target, port in servers(params):
            try:
                sockets.connect(self.route.to(target, port), CONNECT_S).close()
            except OSError as error:
                failed = error
            else:
                return f"{name}:{port} answers"
        raise UnavailableError(
            f"no connection: {failed.strerror if failed and failed.strerror else 'no answer in time'}",
            host=params.get("host"),
            port=params.get("port"),
            remedy="check host, port and firewalls, and whether the server runs and listens there",
        ) from failed

    def _tls(self) -> str:
        """Connect; a refusal of the login comes after TLS, and is kept for the step that it belongs to."""
        try:
            with self.connection() as connection:
                if connection.pgconn.ssl_in_use:
                    return f"encrypted, sslmode {parameters(self.settings)['sslmode']}"
                return "not encrypted"
        except (CredentialsError, SettingsError) as error:
            if error.remedy == TLS_REMEDY:
                raise
            self._refused = error
            return ""

    def _credentials(self) -> str:
        if self._refused is not None:
            raise self._refused
        with self.connection() as connection:
            found = connection.info
            version = found.parameter_status("server_version")
            return f"{found.user} at database {found.dbname}, PostgreSQL {version}"
