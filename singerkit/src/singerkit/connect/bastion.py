"""The settings of an SSH tunnel: rows for the schema, rules that no schema can say, one frozen value.

Takes the object under `ssh_tunnel`; gives an SSHTunnel, or None where it is off. Refuses all errors at once. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from singerkit.errors import SettingsError
from singerkit.settings.fields import Setting, explain, settings_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SSH_PORT = 22
_WEB_PORTS = (80, 443)  # a bastion there is a mistake, or a way to make us speak to a web server

FIELDS = (
    Setting("enabled", "boolean", "Use an SSH tunnel", "Reach the database through a bastion host.", default=False),
    Setting("host", "string", "Bastion host", "Name or address of the SSH server."),
    Setting("port", "integer", "Bastion port", "Port of the SSH server; never 80 or 443.", default=SSH_PORT),
    Setting("username", "string", "User", "User at the bastion."),
    Setting("password", "string", "Password", "Password at the bastion, where no key is used.", secret=True),
    Setting("private_key", "string", "Private key", "Text of an RSA, Ed25519 or ECDSA key.", secret=True),
    Setting("private_key_file", "file", "Private key file", "Path of the key, instead of its text."),
    Setting("passphrase", "string", "Passphrase", "Passphrase of the private key.", secret=True),
    Setting("known_hosts", "string", "Known hosts", "Lines of a known_hosts file that hold the bastion's key."),
    Setting("known_hosts_file", "file", "Known hosts file", "Path of a known_hosts file."),
    Setting("host_key", "string", "Host key", "The bastion's public key, as in `ssh-ed25519 AAAA...`."),
    Setting(
        "host_fingerprint", "string", "Host fingerprint", "`SHA256:...` of the bastion's key; several with blanks."
    ),
    Setting(
        "require_tls",
        "boolean",
        "Require TLS behind the bastion",
        "The tunnel ends at the bastion: TLS protects the rest of the way, checked against the database's own name.",
        default=True,
    ),
    Setting(
        "keep_alive_s",
        "number",
        "Keep alive",
        "Seconds without a word after which the bastion is asked whether it is there; at the third silence it is lost.",
        default=15,  # firewalls forget a quiet connection, the quickest after a minute
        schema={"exclusiveMinimum": 0},
    ),
)
"""What may stand under `ssh_tunnel`, one row each."""

LOGIN = ("password", "private_key", "private_key_file")
HOST_KEY = ("known_hosts", "known_hosts_file", "host_key", "host_fingerprint")


@dataclass(frozen=True)
class SSHTunnel:
    """A bastion, how to log in there, how to know it, and whether TLS is asked for behind it."""

    host: str
    username: str
    port: int = SSH_PORT
    password: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    private_key_file: str | None = None
    passphrase: str | None = field(default=None, repr=False)
    known_hosts: str | None = None
    known_hosts_file: str | None = None
    host_key: str | None = None
    host_fingerprint: str | None = None
    require_tls: bool = True
    keep_alive_s: float = 15


def ssh_tunnel_setting(name: str = "ssh_tunnel") -> Setting:
    """Return the one row that gives a plugin the setting of a tunnel."""
    caption = "Reach the database through a bastion host; nothing below is read unless it is enabled."
    nested = {
        word: text for word, text in settings_schema(FIELDS).items() if word in {"properties", "additionalProperties"}
    }
    return Setting(name, "object", "SSH tunnel", caption, schema={"x-kind": "ssh_tunnel", **nested})


def read_ssh_tunnel(given: Mapping[str, Any] | None, name: str = "ssh_tunnel") -> SSHTunnel | None:
    """Return the tunnel that the settings ask for, or None where there is none; raise all errors as one."""
    if not given or not given.get("enabled"):
        return None
    filled = {key: value for key, value in given.items() if value not in {None, ""}}
    if errors := [*_schema_errors(filled), *_rule_errors(filled)]:
        raise SettingsError("the SSH tunnel cannot be used: " + "; ".join(f"{name}.{error}" for error in errors))
    return SSHTunnel(**{row.name: filled[row.name] for row in fields(SSHTunnel) if row.name in filled})


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


def _schema_errors(given: Mapping[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    schema = settings_schema(FIELDS)
    for error in Draft202012Validator(schema).iter_errors(dict(given)):
        yield explain(error, schema["properties"])


def _rule_errors(given: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name}: missing" for name in ("host", "username") if name not in given)
    port = given.get("port", SSH_PORT)
    if isinstance(port, int) and (not 0 < port < 1 << 16 or port in _WEB_PORTS):
        yield f"port: must be 1 to 65535, and neither of {_WEB_PORTS[0]} and {_WEB_PORTS[1]}"
    if (count := sum(name in given for name in LOGIN)) != 1:
        yield f"{_choice(LOGIN)}: one must be given, not {count}"
    if (count := sum(name in given for name in HOST_KEY)) != 1:
        yield (
            f"{_choice(HOST_KEY)}: one must be given, not {count}; ask the bastion's keeper, "
            "or compare `ssh-keyscan HOST | ssh-keygen -lf -` with what the keeper says"
        )
    if "passphrase" in given and "password" in given:
        yield "passphrase: belongs to a private key"


def _choice(names: tuple[str, ...]) -> str:
    return " | ".join(names)
