"""The route of a plugin: straight under the guard or through a bastion, opened now or when it is needed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from singerkit.connect.hosts import Destination, HostRefusedError
from singerkit.connect.routed import Routed, RoutedSettings
from singerkit.errors import StoppedError
from singerkit.settings.read import checked

Said = Callable[[int, bytes], bytes]


class Plugin(Routed):
    """As much of a plugin as a route needs."""

    def __init__(self, **config: Any) -> None:
        self.settings = checked(RoutedSettings, config)


@pytest.fixture
def plugin(bastion: Any) -> Iterator[Callable[..., Plugin]]:
    """Give a function that makes a plugin whose connections go through the bastion."""
    made: list[Plugin] = []

    def make(**config: Any) -> Plugin:
        tunnel = {"enabled": True, "host": "127.0.0.1", "port": bastion.port, "username": "ada"}
        tunnel |= {"password": "correct horse", "host_key": bastion.host_line}
        made.append(Plugin(ssh_tunnel=tunnel, **config))
        return made[-1]

    yield make
    for one in made:
        one.close_route()


def test_the_deferred_opener_logs_in_with_the_first_connection(
    plugin: Callable[..., Plugin], bastion: Any, echo: int, said: Said
) -> None:
    """A route that nobody takes costs nothing; one that is taken twice logs in once."""
    route = plugin().route
    before = len(bastion.logins)
    ports = {route.to("127.0.0.1", echo).port for _ in range(2)}

    assert before == 0
    assert len(bastion.logins) == len(ports) == 1
    assert said(ports.pop(), b"hello") == b"hello"


def test_the_immediate_opener_logs_in_at_once(plugin: Callable[..., Plugin], bastion: Any) -> None:
    """What is wrong with the bastion is known before a stream is looked at."""
    plugin().open_route()

    assert len(bastion.logins) == 1


def test_a_closed_route_logs_out(plugin: Callable[..., Plugin], echo: int, said: Said) -> None:
    """At the end of the plugin nothing listens any more; closing what was never opened is nothing."""
    one = plugin()
    port = one.route.to("127.0.0.1", echo).port
    one.close_route()
    Plugin().close_route()

    with pytest.raises(OSError, match="refused"):
        said(port, b"hello")


@pytest.mark.parametrize("config", [{}, {"allow_private_hosts": None}, {"ssh_tunnel": {"enabled": False, "port": 80}}])
def test_without_a_tunnel_the_way_is_straight(config: dict[str, Any]) -> None:
    """Databases of private networks are reached unless a setting says no."""
    assert Plugin(**config).open_route().to("127.0.0.1", 5432) == Destination("127.0.0.1", 5432, ("127.0.0.1",))


def test_the_guard_holds_where_a_setting_says_no(plugin: Callable[..., Plugin]) -> None:
    """Straight: the database's address. Through a bastion: the bastion's."""
    with pytest.raises(HostRefusedError, match=r"loopback address \(host=127\.0\.0\.1\)"):
        Plugin(allow_private_hosts=False).route.to("127.0.0.1", 5432)
    with pytest.raises(HostRefusedError, match=r"loopback address \(host=127\.0\.0\.1\)"):
        plugin(allow_private_hosts=False).open_route()


def test_the_shell_of_the_plugin_is_asked_whether_to_stop() -> None:
    """The mixin hands the shell's own question on."""

    class Shell:
        def raise_if_stopped(self) -> None:
            raise StoppedError(15)

    class Stopped(Routed, Shell):
        pass

    with pytest.raises(StoppedError):
        Stopped().raise_if_stopped()
    Plugin().raise_if_stopped()
