"""A settings class with every kind of field, for the tests of the rooms that compile it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from singerkit.settings.kinds import FileUpload, Input, Option, Select, SwitchGroup
from singerkit.settings.rows import settings


@settings
class History:
    days: Annotated[int, Input("Days", "How far back.", schema={"minimum": 1})] = 7
    since: Annotated[datetime | None, Input("Since", "From when.", type="date")] = None


@settings
class Token:
    option: ClassVar = Option("token", "A token")
    token: Annotated[str, Input("Token", "Made by a person.", secret=True)]


@settings
class App:
    option: ClassVar = Option("app", "An application")
    app_id: Annotated[int, Input("App", "Its number.")]
    key: Annotated[Mapping[str, Any], FileUpload("Key", "Its key.", keys=("id", "kind"), needs=("id",), secret=True)]


@settings
class Settings:
    """One of each."""

    groups: ClassVar = (("url",), ("host", "user"))
    auth: Annotated[Token | App, Select("Log in", "How.")]
    url: Annotated[str | None, Input("Address", "All in one.", type="url", placeholder="https://acme.example")] = None
    host: Annotated[str | None, Input("Host", "Where.")] = None
    user: Annotated[str | None, Input("User", "Who.")] = None
    mail: Annotated[str | None, Input("Mail", "To whom.", type="email")] = None
    at: Annotated[str | None, Input("At", "When.", type="time")] = None
    note: Annotated[str | None, Input("Note", "Long.", type="textarea", from_file=True)] = None
    port: Annotated[int, Input("Port", "Its port.", schema={"minimum": 1, "maximum": 65535})] = 5432
    share: Annotated[float, Input("Share", "A part.", schema={"exclusiveMinimum": 0})] = 0.5
    loud: Annotated[bool, Input("Loud", "Whether to say more.")] = False
    size: Annotated[Literal[1, 5, 10] | None, Select("Size", "How many.", labels={1: "one"})] = None
    mode: Annotated[Literal["fast", "exact"], Select("Mode", "How.")] = "fast"
    streams: Annotated[tuple[str, ...], Input("Streams", "Globs.")] = ()
    sizes: Annotated[tuple[int, ...], Input("Sizes", "Numbers.")] = ()
    nested: Annotated[Literal["a", "b"] | Mapping[str, Literal["a", "b"]] | None, Input("Nested", "By stream.")] = None
    extra: Annotated[Mapping[str, Any] | None, Input("Extra", "Words for others.", secret=True)] = None
    folder: Annotated[Path | None, Input("Folder", "Where to.")] = None
    history: Annotated[History | None, SwitchGroup("History", "Older rows too.")] = None
    recent: Annotated[History | None, SwitchGroup("Recent", "Newer rows too.")] = History(days=1)

    @staticmethod
    def problems(given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what no schema can say."""
        if given["loud"] and given["mode"] == "exact":
            yield "loud: not with mode exact"


GOOD: dict[str, Any] = {"auth": {"method": "token", "token": "canary-token"}, "url": "https://acme.example"}
