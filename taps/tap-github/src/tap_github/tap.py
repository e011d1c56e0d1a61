"""The tap: its name, its settings and its rows, and which of the ways to sign the settings ask for."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singerkit.rest.auth import Rotating
from singerkit.rest.tap import RestTap
from tap_github.rows import ENDPOINTS
from tap_github.selection import selection
from tap_github.settings import SOURCE, Settings
from tap_github.webhooks import HOOKS, Registrar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from singerkit.rest.auth import Auth
    from singerkit.rest.endpoint import Endpoint, Source
    from singerkit.rest.unchanged import Unchanged
    from singerkit.webhooks.drain import Drain
    from tap_github.selection import Selection

_DAY_S = 86_400


class TapGithub(RestTap):
    """Repositories, organisations and users of GitHub, with all that belongs to them."""

    name = "tap-github"
    settings_class = Settings
    settings: Settings
    source_row: ClassVar = SOURCE
    endpoints: ClassVar = ENDPOINTS
    hooks: ClassVar = HOOKS

    @classmethod
    def verbs(cls) -> Mapping[str, click.Command]:
        """Return what every tap of rows can do, and what webhooks need."""
        from singerkit.webhooks.verbs import VERBS

        return {**super().verbs(), **VERBS}

    def registrar(self) -> Registrar:
        """Return what registers webhooks at GitHub."""
        return Registrar(self.client, self.settings)

    def plain_source(self) -> Source:
        """Return the source, signed in the way that the settings hold credentials for."""
        return replace(self.source_row, auth=self._auth())

    @cached_property
    def rows(self) -> Mapping[str, Endpoint]:
        """All rows; `lookback_days` takes the place of the lookback of those that have one."""
        days = self.settings.lookback_days
        rows = super().rows
        return rows if days is None else {name: _looking_back(row, days) for name, row in rows.items()}

    @cached_property
    def unchanged(self) -> Unchanged | None:
        """The answers that GitHub may call unchanged, which costs no quota: kept where `cache_dir` says."""
        from singerkit.rest.unchanged import Unchanged

        return Unchanged(self.settings.cache_dir) if self.settings.cache_dir else None

    @cached_property
    def drain(self) -> Drain | None:
        """The deliveries that are about repositories which the settings choose."""
        found = super().drain
        return found and replace(found, wants=self._wants)

    def _wants(self, delivery: Any) -> bool:
        return self._chosen.takes(delivery)

    @cached_property
    def _chosen(self) -> Selection:
        return selection(self.values)

    def _auth(self) -> Auth:
        chosen = self.settings
        if chosen.app_id and chosen.app_private_key:
            from tap_github.app import AppAuth

            return AppAuth(
                api_url="{base_url}",
                app_id=chosen.app_id,
                private_key=chosen.app_private_key,
                installation_id=chosen.app_installation_id,
            )
        if chosen.use_login:
            return self.stored_login()
        given = (chosen.auth_token, *chosen.additional_auth_tokens)
        return Rotating(tokens=tuple(dict.fromkeys(token for token in given if token)))


def _looking_back(row: Endpoint, days: float) -> Endpoint:
    marks = tuple(replace(mark, lookback_s=days * _DAY_S) if mark.lookback_s else mark for mark in row.bookmarks)
    return replace(row, bookmarks=marks)
