"""The settings of a tunnel: every error at once, none with a value, and nothing read where the tunnel is off."""

from typing import Any

import pytest

from singerkit.connect.bastion import SSHTunnel, inner_sslmode, read_ssh_tunnel, ssh_tunnel_setting
from singerkit.errors import SettingsError
from singerkit.settings.fields import settings_schema
from singerkit.settings.secrets import secret_values

GOOD = {"enabled": True, "host": "bastion", "username": "ada", "password": "canary", "host_key": "ssh-ed25519 AAAA"}
ONE_KEY = (
    "ssh_tunnel.known_hosts | known_hosts_file | host_key | host_fingerprint: one must be given, not {}; "
    "ask the bastion's keeper, or compare `ssh-keyscan HOST | ssh-keygen -lf -` with what the keeper says"
)


@pytest.mark.parametrize("given", [None, {}, {"enabled": False}, {"enabled": False, "port": 80, "nonsense": 1}])
def test_a_tunnel_that_is_off_is_not_read(given: dict[str, Any] | None) -> None:
    """Settings of a switch that is off are nobody's business."""
    assert read_ssh_tunnel(given) is None


def test_a_good_tunnel_is_one_value() -> None:
    """Empty texts are as good as absent: Meltano and the environment hand them over for what is not set."""
    assert read_ssh_tunnel({**GOOD, "passphrase": "", "known_hosts": None}) == SSHTunnel(
        "bastion", "ada", password="canary", host_key="ssh-ed25519 AAAA"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": 80}, "ssh_tunnel.port: must be 1 to 65535, and neither of 80 and 443"),
        ({"port": 443}, "ssh_tunnel.port: must be 1 to 65535, and neither of 80 and 443"),
        ({"port": 0}, "ssh_tunnel.port: must be 1 to 65535, and neither of 80 and 443"),
        ({"port": 65536}, "ssh_tunnel.port: must be 1 to 65535, and neither of 80 and 443"),
        ({"port": "22"}, "ssh_tunnel.port: must be integer"),
        ({"keep_alive_s": 0}, "ssh_tunnel.keep_alive_s: breaks exclusiveMinimum 0"),
        ({"host": ""}, "ssh_tunnel.host: missing"),
        ({"username": None}, "ssh_tunnel.username: missing"),
        ({"password": None}, "ssh_tunnel.password | private_key | private_key_file: one must be given, not 0"),
        ({"private_key": "canary"}, "ssh_tunnel.password | private_key | private_key_file: one must be given, not 2"),
        ({"passphrase": "canary"}, "ssh_tunnel.passphrase: belongs to a private key"),
        ({"host_key": ""}, ONE_KEY.format(0)),
        ({"host_fingerprint": "SHA256:x"}, ONE_KEY.format(2)),
        ({"usrname": "canary"}, "ssh_tunnel.usrname: unknown, did you mean username?"),
    ],
)
def test_each_error_has_its_words(change: dict[str, Any], said: str) -> None:
    """What is wrong, under its whole name, without the value."""
    with pytest.raises(SettingsError) as refused:
        read_ssh_tunnel(GOOD | change)

    assert str(refused.value) == f"the SSH tunnel cannot be used: {said}"


def test_all_errors_come_at_once() -> None:
    """One run tells everything that is to be mended."""
    with pytest.raises(SettingsError) as refused:
        read_ssh_tunnel({"enabled": True, "port": 443})

    assert str(refused.value).count("ssh_tunnel.") == 5


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
    tunnel = SSHTunnel("bastion", "ada", require_tls=require_tls)

    assert inner_sslmode(tunnel, sslmode) == used


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_weaker_mode_is_refused_where_tls_is_required(sslmode: str) -> None:
    """A mode that does not check the name would let anyone behind the bastion be the database."""
    with pytest.raises(SettingsError) as refused:
        inner_sslmode(SSHTunnel("bastion", "ada"), sslmode)

    assert str(refused.value) == (
        f"ssh_tunnel.require_tls asks for a checked certificate behind the bastion (tls_mode={sslmode}); "
        "set it to verify-full, or ssh_tunnel.require_tls to false if the network there is trusted"
    )


def test_the_secrets_of_a_tunnel_are_known_as_such() -> None:
    """Password, key and passphrase are masked in logs although they stand inside an object; `repr` hides them too."""
    schema = settings_schema([ssh_tunnel_setting()])
    secrets: dict[str, Any] = {"password": "canary-1", "private_key": "canary-2", "passphrase": "canary-3"}
    config = {"ssh_tunnel": {"host": "bastion"} | secrets}

    assert secret_values(config, schema) >= set(secrets.values())
    assert "bastion" not in secret_values(config, schema)
    assert "canary" not in repr(SSHTunnel("bastion", "ada", **secrets))
