"""What a person sets, and what all rows share. The rows themselves are in `rows/`, by subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from singerkit.connect.logins import Login
from singerkit.connect.oauth import OAuthKind
from singerkit.rest.endpoint import Source
from singerkit.rest.retry import Policy
from singerkit.settings.kinds import Input, OAuth
from singerkit.settings.rows import settings
from singerkit.webhooks.settings import WebhookSettings

GITHUB = OAuthKind(
    name="GitHub",
    authorize_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",
    scopes=("repo", "read:org"),
    account_url="https://api.github.com/user",
    id_path="id",
    name_path="login",
)
"""The login of a person, for `auth login`: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps."""


@settings
class Settings(WebhookSettings):
    """What tap-github can be told."""

    groups: ClassVar = (("auth_token",), ("additional_auth_tokens",), ("app_id", "app_private_key"), ("use_login",))
    repositories: Annotated[
        tuple[str, ...],
        Input(
            "Repositories",
            "Names and patterns: octo/hello, octo/*, octo/web-*. One with an exclamation mark before it is left out.",
        ),
    ] = ()
    organizations: Annotated[
        tuple[str, ...],
        Input("Organisations", "Names; all their repositories, members and teams are read."),
    ] = ()
    users: Annotated[tuple[str, ...], Input("Users", "Names; all public repositories that they own are read.")] = ()
    skip_forks: Annotated[bool, Input("Skip forks", "Whether patterns pass forks over; a full name does not.")] = False
    skip_archived: Annotated[
        bool, Input("Skip archived", "Whether patterns pass archived repositories over; a full name does not.")
    ] = False
    auth_token: Annotated[
        str | None, Input("Token", "A fine-grained or classic personal access token.", secret=True)
    ] = None
    additional_auth_tokens: Annotated[
        tuple[str, ...],
        Input("More tokens", "Tokens that share the work: the one with most requests left is used.", secret=True),
    ] = ()
    app_id: Annotated[str | None, Input("App id", "Id or client id of a GitHub App.")] = None
    app_private_key: Annotated[
        str | None, Input("App key", "Private key of the GitHub App, in PEM form.", type="textarea", secret=True)
    ] = None
    app_installation_id: Annotated[
        int | None,
        Input("Installation", "Which installation of the app to use. Unset: for each owner its own."),
    ] = None
    use_login: Annotated[
        bool | None, Input("Use login", "Whether to sign by the login of `tap-github auth login`.")
    ] = None
    login: Annotated[Login, OAuth("Login", "The login of a person, by `tap-github auth login`.", login=GITHUB)] = (
        Login()
    )
    base_url: Annotated[
        str, Input("Address", "Where the API is; of an Enterprise Server https://HOST/api/v3.", type="url")
    ] = "https://api.github.com"
    cache_dir: Annotated[
        Path | None,
        Input(
            "Cache folder",
            "Where answers are kept, up to 1 GiB: those that GitHub calls unchanged cost no quota. Unset: nowhere.",
        ),
    ] = None
    lookback_days: Annotated[
        float | None,
        Input(
            "Lookback",
            "Days before the bookmark from which commits, runs and deployments are read again. Unset: each its own.",
            schema={"minimum": 0},
        ),
    ] = None


SOURCE = Source(
    base_url="{base_url}",
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    policy=Policy(longest_wait_s=3700, deadline_s=9000),  # a used up quota is full again within the hour
    concurrency=8,
)
