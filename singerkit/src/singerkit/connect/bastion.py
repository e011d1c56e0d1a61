"""The settings of an SSH tunnel: a settings class, and the rules that no schema can say.

Takes the object under `ssh_tunnel`; gives an SSHTunnel. Refuses all errors at once. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from singerkit.errors import SettingsError
from singerkit.settings.kinds import Input
from singerkit.settings.rows import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SSH_PORT = 22
_PORTS = {
    "minimum": 1,
    "maximum": 65535,
    "not": {"enum": [80, 443]},  # a bastion there is a mistake, or a way to make us speak to a web server
}

LOGIN = ("password", "private_key")
HOST_KEY = ("known_hosts", "host_key", "host_fingerprint")


@settings
class SSHTunnel:
    """A bastion, how to log in there, how to know it, and whether TLS is asked for behind it."""

    host: Annotated[str, Input("Bastion host", "Name or address of the SSH server.")]
    port: Annotated[int, Input("Bastion port", "Port of the SSH server; never 80 or 443.", schema=_PORTS)] = SSH_PORT
    username: Annotated[str, Input("User", "User at the bastion.")]
    password: Annotated[
        str | None, Input("Password", "Password at the bastion, where no key is used.", secret=True)
    ] = None
    private_key: Annotated[
        str | None, Input("Private key", "Text of an RSA, Ed25519 or ECDSA key.", type="textarea", secret=True)
    ] = None
    passphrase: Annotated[str | None, Input("Passphrase", "Passphrase of the private key.", secret=True)] = None
    known_hosts: Annotated[
        str | None,
        Input(
            "Known hosts",
            "Lines of a known_hosts file that hold the bastion's key.",
            type="textarea",
            from_file=True,
        ),
    ] = None
    host_key: Annotated[
        str | None, Input("Host key", "The bastion's public key.", placeholder="ssh-ed25519 AAAA...")
    ] = None
    host_fingerprint: Annotated[
        str | None,
        Input("Host fingerprint", "`SHA256:...` of the bastion's key; several with blanks."),
    ] = None
    require_tls: Annotated[
        bool,
        Input(
            "Require TLS behind the bastion",
            "The tunnel ends at the bastion: TLS protects the rest of the way, checked against the database's own "
            "name.",
        ),
    ] = True
    keep_alive_s: Annotated[
        float,
        Input(
            "Keep alive",
            "Seconds without a word after which the bastion is asked whether it is there; at the third silence it is "
            "lost.",
            schema={"exclusiveMinimum": 0},
        ),
    ] = 15  # firewalls forget a quiet connection, the quickest after a minute

    @staticmethod
    def problems(given: Mapping[str, Any]) -> Iterator[str]:
        """Yield which choices are not made, or made twice."""
        if (count := sum(given[name] is not None for name in LOGIN)) != 1:
            yield f"{' | '.join(LOGIN)}: one must be given, not {count}"
        if (count := sum(given[name] is not None for name in HOST_KEY)) != 1:
            yield (
                f"{' | '.join(HOST_KEY)}: one must be given, not {count}; ask the bastion's keeper, "
                "or compare `ssh-keyscan HOST | ssh-keygen -lf -` with what the keeper says"
            )
        if given["passphrase"] is not None and given["password"] is not None:
            yield "passphrase: belongs to a private key"


def inner_sslmode(tunnel: SSHTunnel, sslmode: str | None) -> str:
    """Return libpq's TLS mode for the connection inside the tunnel.

    With `require_tls` only verify-full will do: a certificate of another name may be anyone's behind the bastion.
    """
    if not tunnel.require_tls:
        return sslmode or "prefer"
    if sslmode not in {None, "verify-full"}:
        raise SettingsError(
            "ssh_tunnel.require_tls asks for a checked certificate behind the bastion",
            tls_mode=sslmode,
            remedy="set it to verify-full, or ssh_tunnel.require_tls to false if the network there is trusted",
        )
    return "verify-full"
