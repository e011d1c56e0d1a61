"""The mixin for plugins whose connections may go through a bastion: one route, found now or when it is needed.

Takes the settings `ssh_tunnel` and `allow_private_hosts`; gives the plugin's Route. Closes it where the plugin does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from singerkit.connect.bastion import SSHTunnel
from singerkit.settings import kinds
from singerkit.settings.rows import settings

if TYPE_CHECKING:
    from singerkit.connect.route import Route


@settings
class RoutedSettings:
    """What a plugin of a database can be told of the way there."""

    ssh_tunnel: Annotated[SSHTunnel | None, kinds.SSHTunnel()] = None
    allow_private_hosts: Annotated[
        bool,
        kinds.Input(
            "Private hosts",
            "Whether a server, or a bastion, in a private network or on this machine may be reached.",
        ),
    ] = True


class Routed:
    """Mixed in before a plugin of a database: hosts of private networks are allowed unless a setting says no."""

    settings: RoutedSettings
    _route: Route | None = None

    @property
    def route(self) -> Route:
        """The deferred opener: a route whose tunnel opens with the first connection."""
        if self._route is None:
            from singerkit.connect.route import Route

            self._route = Route(
                self.settings.ssh_tunnel,
                allow_private_hosts=self.settings.allow_private_hosts,
                look=self.raise_if_stopped,
            )
        return self._route

    def open_route(self) -> Route:
        """The immediate opener: what is wrong with the bastion is said before anything else is tried."""
        return self.route.open()

    def close_route(self) -> None:
        """Close the tunnel; the next connection would open it again."""
        if self._route is not None:
            self._route.close()

    def raise_if_stopped(self) -> None:
        """Raise where the run is to stop; the shell's own does."""
        getattr(super(), "raise_if_stopped", lambda: None)()
