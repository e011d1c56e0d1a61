"""The smallest plugin on the shell: what it does is chosen by its setting `act`."""

import os
import signal
from typing import Annotated, Any, ClassVar

from singer_sdk import Stream, Tap

from singerkit.errors import CredentialsError
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings
from singerkit.shell import Shell


class Rows(Stream):
    """Three rows, or one of the ways a run can end badly."""

    name = "rows"
    schema: ClassVar[dict[str, Any]] = {"properties": {"id": {"type": "integer"}}}

    def get_records(self, context: Any) -> Any:
        """Act as the setting says, then give three rows."""
        act = self.config.get("act")
        if act == "denied":
            raise CredentialsError("the server refuses the password", remedy="check password", host="localhost")
        if act == "bug":
            raise ZeroDivisionError(self.config["password"])
        if act in {"term", "int"}:
            os.kill(os.getpid(), signal.SIGTERM if act == "term" else signal.SIGINT)
            self._tap.raise_if_stopped()  # type: ignore[attr-defined]
        yield from ({"id": i} for i in range(3))


@settings
class Settings:
    """What it can be told."""

    act: Annotated[str | None, Input("Act", "How this run goes.")] = None
    password: Annotated[str | None, Input("Password", "Never shown.", secret=True)] = None


class TinyTap(Shell, Tap):
    """A tap of one stream."""

    name = "tiny-tap"
    settings_class = Settings

    def discover_streams(self) -> list[Stream]:
        """One stream."""
        return [Rows(self)]
