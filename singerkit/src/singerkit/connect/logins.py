"""What a person sets about a login, and what a plugin is to the service that it logs in to.

Takes settings, and the client's id and secret from the environment; gives an Application, which `auth` and a sync both
start from. Refuses to begin where one of these is missing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from singerkit.connect.oauth import OAuthKind, client_of
from singerkit.connect.tokens import TokenFile
from singerkit.errors import SettingsError
from singerkit.settings.environment import variable
from singerkit.settings.files import FileRefusedError, Files
from singerkit.settings.kinds import LARGEST_FILE, Input, OAuth
from singerkit.settings.rows import is_settings, rows, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singerkit.connect.access import Access
    from singerkit.connect.grants import TokenServer
    from singerkit.connect.hosts import HostGuard


@settings
class Login:
    """What can be set about a login; by itself it needs nothing of this."""

    token_file: Annotated[
        Path | None,
        Input("Token file", "Where tokens are kept. Unset: ~/.local/state/singerkit, a file for each plugin."),
    ] = None
    redirect_uri: Annotated[
        str | None,
        Input(
            "Redirect address",
            "Where the browser comes back to, as it is registered at the service. Unset: a free port of this machine.",
            type="url",
            placeholder="http://127.0.0.1:8765/callback",
        ),
    ] = None
    scopes: Annotated[tuple[str, ...], Input("Scopes", "What to ask for. Unset: what the plugin reads.")] = ()


@dataclass(frozen=True)
class Application:
    """A plugin's side of one kind of login: what `auth` and a sync both start from."""

    plugin: str
    kind: OAuthKind
    server: TokenServer
    file: TokenFile
    scopes: tuple[str, ...] = ()
    redirect_uri: str | None = None

    @property
    def login_command(self) -> str:
        """What a person runs to log in."""
        return f"`{self.plugin} auth login`"

    def access(self) -> Access:
        """Return the access tokens of a run."""
        from singerkit.connect.access import Access

        return Access(self.file, self.server, self.login_command)


def application(
    plugin: str, field: OAuth, login: Login, guard: HostGuard, environment: Mapping[str, str] = os.environ
) -> Application:
    """Return what a plugin is to the service of a field, under these settings."""
    from singerkit.connect.grants import TokenServer
    from singerkit.connect.transport import guarded_session
    from singerkit.settings.secrets import hide

    client = client_of(plugin, field.login, _with_files(plugin, environment))
    hide([client.secret] if client.secret else [])
    path = login.token_file or default_token_file(plugin, environment)
    return Application(
        plugin,
        field.login,
        TokenServer(field.login, client, guarded_session(guard)),
        TokenFile(path, f"`{plugin} auth login`"),
        login.scopes or field.scopes,
        login.redirect_uri,
    )


def _with_files(plugin: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the client's id and secret, where they stand in files: TAP_X_CLIENT_SECRET_FILE."""
    found, files = dict(environment), Files.of_environment()
    for part in ("client_id", "client_secret"):
        name = variable(plugin, part)
        if path := environment.get(f"{name}_FILE"):
            if environment.get(name):
                raise SettingsError(f"{name}: give it or {name}_FILE, not both")
            try:
                found[name] = files.text(path, LARGEST_FILE)
            except FileRefusedError as error:
                raise SettingsError(f"{name}_FILE: {error}") from error
    return found


def default_token_file(plugin: str, environment: Mapping[str, str]) -> Path:
    """Return where tokens are kept when no setting says it: the user's own folder for such things."""
    home = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home) / "singerkit" / f"{plugin}.tokens.json"


def login_fields(cls: type, parent: str = "") -> Iterator[tuple[str, OAuth]]:
    """Yield the logins that a settings class has, with their dotted names; those in groups and options too."""
    for row in rows(cls):
        if isinstance(row.field, OAuth):
            yield parent + row.name, row.field
        else:
            for kind in row.types:
                yield from login_fields(kind, f"{parent}{row.name}.") if is_settings(kind) else ()


def login_in(value: Any) -> tuple[OAuth, Login] | None:
    """Return the login of a settings value, and what is set about it; None where its option is not chosen."""
    for row in rows(type(value)):
        inner = getattr(value, row.name)
        if isinstance(row.field, OAuth):
            return row.field, inner if isinstance(inner, Login) else Login()
        if is_settings(type(inner)) and (found := login_in(inner)):
            return found
    return None
