"""A REST tap whose source knows logins alone; where that source is, `ACME_URL` says."""

import os
from typing import Annotated

from singerkit.connect.logins import Login
from singerkit.connect.oauth import OAuthKind
from singerkit.rest.endpoint import Endpoint, Source
from singerkit.rest.pages import NextUrl
from singerkit.rest.settings import RestSettings
from singerkit.rest.tap import RestTap
from singerkit.settings.kinds import OAuth
from singerkit.settings.rows import settings

URL = os.environ["ACME_URL"]
ACME = OAuthKind(
    name="Acme",
    authorize_url=f"{URL}/authorize?version=2",
    token_url=f"{URL}/token",
    scopes=("orders:read",),
    account_url=f"{URL}/me",
    revoke_url=f"{URL}/revoke",
    id_path="account.id",
    name_path="account.names.0",
)


@settings
class Settings(RestSettings):
    """What it can be told."""

    login: Annotated[Login, OAuth("Login", "The login of a person.", login=ACME)] = Login()


class TapAcme(RestTap):
    """A tap of one stream."""

    name = "tap-acme"
    settings_class = Settings
    endpoints = (
        Endpoint(
            name="numbers",
            path="api",
            records="data",
            keys=("id",),
            pages=NextUrl(path="next"),
            schema={"properties": {"id": {"type": "integer"}}},
        ),
    )

    def plain_source(self) -> Source:
        """Return the source, signed to by the login."""
        return Source(base_url=URL, auth=self.stored_login())
