"""The settings of a tunnel: every error at once, none with a value, and nothing read where the tunnel is off."""

from typing import Any

import pytest

from singerkit.connect.bastion import SSHTunnel, inner_sslmode
from singerkit.connect.routed import RoutedSettings
from singerkit.errors import SettingsError
from singerkit.settings.read import Reading, read

GOOD = {"enabled": True, "host": "bastion", "username": "ada", "password": "canary", "host_key": "ssh-ed25519 AAAA"}
ONE_KEY = (
    "ssh_tunnel.known_hosts | host_key | host_fingerprint: one must be given, not {}; "
    "ask the bastion's keeper, or compare `ssh-keyscan HOST | ssh-keygen -lf -` with what the keeper says"
)


def reading(tunnel: Any) -> Reading[RoutedSettings]:
    """Read the setting as a plugin of a database does."""
    return read(RoutedSettings, {"ssh_tunnel": tunnel})


@pytest.mark.parametrize("given", [None, {}, {"enabled": False}, {"enabled": False, "port": 80, "nonsense": 1}])
def test_a_tunnel_that_is_off_is_not_read(given: dict[str, Any] | None) -> None:
    """Settings of a switch that is off are nobody's business."""
    assert reading(given).errors == ()
    assert reading(given).value.ssh_tunnel is None


def test_a_good_tunnel_is_one_value() -> None:
    """Empty texts are as good as absent: Meltano and the environment hand them over for what is not set."""
    assert reading({**GOOD, "passphrase": "", "known_hosts": None, "port": "2222"}).value.ssh_tunnel == SSHTunnel(
        host="bastion", username="ada", port=2222, password="canary", host_key="ssh-ed25519 AAAA"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": 80}, "ssh_tunnel.port: must not be 80 or 443"),
        ({"port": "443"}, "ssh_tunnel.port: must not be 80 or 443"),
        ({"port": 0}, "ssh_tunnel.port: must be at least 1"),
        ({"port": 65536}, "ssh_tunnel.port: must be at most 65535"),
        ({"port": "canary"}, "ssh_tunnel.port: must be an integer"),
        ({"keep_alive_s": 0}, "ssh_tunnel.keep_alive_s: must be more than 0"),
        ({"host": ""}, "ssh_tunnel.host: missing"),
        ({"username": None}, "ssh_tunnel.username: missing"),
        ({"require_tls": "canary"}, "ssh_tunnel.require_tls: must be true or false"),
        ({"password": None}, "ssh_tunnel.password | private_key: one must be given, not 0"),
        ({"private_key": "canary"}, "ssh_tunnel.password | private_key: one must be given, not 2"),
        (
            {"password": None, "private_key_file": "/nowhere/canary"},
            "ssh_tunnel.private_key_file: cannot be read: No such file or directory",
        ),
        ({"passphrase": "canary"}, "ssh_tunnel.passphrase: belongs to a private key"),
        ({"host_key": ""}, ONE_KEY.format(0)),
        ({"host_fingerprint": "SHA256:x"}, ONE_KEY.format(2)),
        ({"usrname": "canary"}, "ssh_tunnel.usrname: unknown, did you mean username?"),
    ],
)
def test_each_error_has_its_words(change: dict[str, Any], said: str) -> None:
    """What is wrong, under its whole name, without the value."""
    assert reading(GOOD | change).errors == (said,)


def test_all_errors_come_at_once() -> None:
    """One run tells everything that is to be mended."""
    assert [error.partition(":")[0] for error in reading({"enabled": True, "port": 443}).errors] == [
        "ssh_tunnel.host",
        "ssh_tunnel.port",
        "ssh_tunnel.username",
        "ssh_tunnel.password | private_key",
        "ssh_tunnel.known_hosts | host_key | host_fingerprint",
    ]


@pytest.mark.parametrize(
    ("require_tls", "sslmode", "used"),
    [
        (True, None, "verify-full"),
        (True, "verify-full", "verify-full"),
        (False, None, "prefer"),
        (False, "disable", "disable"),
    ],
)
def test_behind_the_bastion_tls_is_checked_unless_given_up(require_tls: bool, sslmode: str | None, used: str) -> None:
    """The default is the strictest mode; only require_tls=false gives the choice back."""
    tunnel = SSHTunnel(host="bastion", username="ada", require_tls=require_tls)

    assert inner_sslmode(tunnel, sslmode) == used


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_weaker_mode_is_refused_where_tls_is_required(sslmode: str) -> None:
    """A mode that does not check the name would let anyone behind the bastion be the database."""
    with pytest.raises(SettingsError) as refused:
        inner_sslmode(SSHTunnel(host="bastion", username="ada"), sslmode)

    assert str(refused.value) == (
        f"ssh_tunnel.require_tls asks for a checked certificate behind the bastion (tls_mode={sslmode}); "
        "set it to verify-full, or ssh_tunnel.require_tls to false if the network there is trusted"
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_the_secrets_of_a_tunnel_are_known_as_such(enabled: bool) -> None:
    """Password, key and passphrase are masked in logs although they stand inside an object, in use or not."""
    secrets: dict[str, Any] = {"password": "canary-1", "private_key": "canary-2", "passphrase": "canary-3"}
    found = reading({"enabled": enabled, "host": "bastion"} | secrets)

    assert found.secrets == set(secrets.values())
    assert "canary" not in repr(SSHTunnel(host="bastion", username="ada", **secrets))
