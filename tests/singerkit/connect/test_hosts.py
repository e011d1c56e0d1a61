"""The host guard: no spelling of a forbidden address gets through, and a judged address is the one that is used."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from singerkit.connect.addresses import kinds
from singerkit.connect.hosts import Destination, HostGuard, HostRefusedError, normal_host, split_url
from singerkit.errors import UnavailableError

REMEDY = "allow it with allow_private_hosts, if it is yours"


def guard(*addresses: str, allow_private_hosts: bool = False) -> HostGuard:
    """Give a guard whose resolver knows one answer."""
    return HostGuard(lambda host, port: addresses, allow_private_hosts=allow_private_hosts)


ADDRESSES = [
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.1.1", "link-local"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("192.0.2.1", "reserved"),
    ("198.18.0.1", "reserved"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.127.255.255", "carrier-grade NAT"),
    ("169.254.169.254", "cloud metadata"),
    ("169.254.170.2", "cloud metadata"),
    ("100.100.100.200", "cloud metadata"),
    ("168.63.129.16", "cloud metadata"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fe80::1", "link-local"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
    ("100::1", "reserved"),
    ("2001:db8::1", "reserved"),
    ("fd00:ec2::254", "cloud metadata"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:a9fe:a9fe", "cloud metadata"),
    ("::127.0.0.1", "loopback"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::a9fe:a9fe", "cloud metadata"),
    ("64:ff9b:1::1", "private"),
    ("2002:0a00:0001::1", "private"),
    ("2002:7f00:1::", "loopback"),
    ("2002:5db8:d822::1", "reserved"),
    ("2001:0:7f00:1::", "loopback"),
    ("2001:0:5db8:d822:0:0:f5ff:fffe", "private"),
]


@pytest.mark.parametrize(("address", "kind"), ADDRESSES, ids=[address for address, _ in ADDRESSES])
def test_an_address_of_no_public_host_is_refused(address: str, kind: str) -> None:
    """Written as the host or given by DNS, it is refused in one line that names its kind."""
    literal = f"[{address}]" if ":" in address else address
    remedy = "no source lives there" if kind in {"multicast", "cloud metadata"} else REMEDY

    with pytest.raises(HostRefusedError) as written:
        guard().destination(literal, 443)
    with pytest.raises(HostRefusedError) as resolved:
        guard(address).destination("api.example", 443)

    assert kind in kinds(address)
    assert str(written.value) == f"the host has a {kind} address (host={address}); {remedy}"
    assert str(resolved.value) == f"the host has a {kind} address (host=api.example, address={address}); {remedy}"
    assert written.value.exit_code == 2


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::1.1.1.1"]
)
def test_a_public_address_passes(address: str) -> None:
    """What anyone on the internet can reach is reached, over NAT64 too."""
    assert guard(address).destination("api.example", 443) == Destination("api.example", 443, (address,))


def test_the_refusal_says_what_where_and_what_to_do() -> None:
    """The whole line, for a name and for an address."""
    with pytest.raises(HostRefusedError) as by_name:
        guard("10.0.0.7").destination("api.example", 443)
    with pytest.raises(HostRefusedError) as by_address:
        guard().destination("127.0.0.1", 443)

    assert str(by_name.value) == f"the host has a private address (host=api.example, address=10.0.0.7); {REMEDY}"
    assert str(by_address.value) == f"the host has a loopback address (host=127.0.0.1); {REMEDY}"


def test_one_forbidden_address_among_good_ones_is_enough() -> None:
    """Every address of a name is judged: which one would be used is up to the moment."""
    with pytest.raises(HostRefusedError) as refused:
        guard("1.1.1.1", "10.0.0.1").destination("api.example", 443)

    assert str(refused.value) == f"the host has a private address (host=api.example, address=10.0.0.1); {REMEDY}"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "db.localhost", "localhost.localdomain"])
def test_the_names_of_this_machine_are_refused_without_asking(host: str) -> None:
    """A resolver that calls localhost public is not believed."""
    with pytest.raises(HostRefusedError) as refused:
        guard("1.1.1.1").destination(host, 443)

    assert str(refused.value) == f"the host is this machine (host={host.lower().rstrip('.')}); {REMEDY}"


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("host", ["metadata.google.internal", "Metadata.Google.Internal.", "instance-data"])
def test_metadata_names_are_refused_always(host: str, allowed: bool) -> None:
    """The service that hands out a machine's credentials is no source, also where private hosts are allowed."""
    with pytest.raises(HostRefusedError) as refused:
        guard("1.1.1.1", allow_private_hosts=allowed).destination(host, 443)

    assert str(refused.value) == (
        f"the host is a cloud metadata service (host={host.lower().rstrip('.')}); no source lives there"
    )


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.1.1", "100.64.0.1", "fc00::1", "::ffff:10.0.0.1"]
)
def test_allow_private_hosts_lets_in_what_is_yours(address: str) -> None:
    """A database lives in a private network more often than not."""
    assert guard(address, allow_private_hosts=True).destination("db", 5432).addresses == (address,)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "224.0.0.1"])
def test_allow_private_hosts_never_lets_in_metadata_or_multicast(address: str) -> None:
    """No source lives there, so the setting cannot mean it."""
    kind = "multicast" if address == "224.0.0.1" else "cloud metadata"

    with pytest.raises(HostRefusedError) as refused:
        guard(address, allow_private_hosts=True).destination("db", 5432)

    assert str(refused.value) == f"the host has a {kind} address (host=db, address={address}); no source lives there"


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("", "the host is no host name and no IP address; write the name alone"),
        ("a b", "the host is no host name and no IP address; write the name alone"),
        ("a/b", "the host is no host name and no IP address; write the name alone"),
        ("user@db", "the host is no host name and no IP address; write the name alone"),
        ("a..b", "the host is no host name and no IP address; write the name alone"),
        ("-a.example", "the host is no host name and no IP address; write the name alone"),
        ("a" * 64 + ".example", "the host is no host name and no IP address; write the name alone"),
        (".".join(["abcdefgh"] * 30), "the host is no host name and no IP address; write the name alone"),
        ("127.1", "the host is no host name and no IP address; write the name alone"),
        ("2130706433", "the host is no host name and no IP address; write the name alone"),
        ("0x7f.0.0.1", "the host is no host name and no IP address; write the name alone"),
        ("0177.0.0.1", "the host is no host name and no IP address; write the name alone"),
        ("127.0.0.0x1", "the host is no host name and no IP address; write the name alone"),
        ("1.2.3.4.5", "the host is no host name and no IP address; write the name alone"),
        ("db:5432", "the host is no host name and no IP address; write the address alone"),
        ("fe80::1%eth0", "the host is no host name and no IP address; write the address alone"),
        ("[::1", "the host is no host name and no IP address; write the address alone"),
        ("[1.1.1.1]", "the host is no host name and no IP address; write the address alone"),
        ("/var/run/postgresql", "the host is no host name and no IP address; write the name alone"),
        ("db1,db2", "the host must be one host, not a list; name one"),
        ("bücher.example", "the host holds a letter that is not ASCII; write its xn-- form"),
        ("①②⑦.0.0.1", "the host holds a letter that is not ASCII; write its xn-- form"),
        ("localhost\u3002", "the host holds a letter that is not ASCII; write its xn-- form"),
    ],
)
def test_a_host_that_parsers_could_read_in_two_ways_is_refused(host: str, what: str) -> None:
    """One strict spelling: names of ASCII labels, dotted quads, IPv6."""
    with pytest.raises(HostRefusedError) as refused:
        normal_host(host)

    assert str(refused.value) == what


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("Api.Example.COM.", "api.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("my_db", "my_db"),
        ("1password.com", "1password.com"),
        ("[2606:4700::1]", "2606:4700::1"),
        ("1.1.1.1", "1.1.1.1"),
    ],
)
def test_a_host_has_one_spelling(host: str, normal: str) -> None:
    """Case, brackets and the last dot say nothing."""
    assert normal_host(host) == normal


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ftp://a.example/", "the address must begin with https:// and a host"),
        ("//a.example/", "the address must begin with https:// and a host"),
        ("https:///path", "the address must begin with https:// and a host"),
        ("file:///etc/passwd", "the address must begin with https:// and a host"),
        ("https://a.example:99999/", "the address is malformed; write it as https://host/path"),
        ("https://[::1/", "the address is malformed; write it as https://host/path"),
        (
            "https://a.example@b.example/",
            "the address holds a user name or an escape before its path (host=b.example)",
        ),
        (
            "https://a.example%5c@b.example/",
            "the address holds a user name or an escape before its path (host=b.example)",
        ),
        (
            "https://a.example\\@b.example/",
            "the address holds a blank, a backslash or a control character; escape it",
        ),
        ("https://a.example/\r\nX: y", "the address holds a blank, a backslash or a control character; escape it"),
        (" https://a.example/", "the address holds a blank, a backslash or a control character; escape it"),
    ],
)
def test_a_url_whose_host_is_in_doubt_is_refused(url: str, what: str) -> None:
    """User names, backslashes and blanks are how one parser is shown another host than the next one."""
    with pytest.raises(HostRefusedError) as refused:
        split_url(url)

    assert str(refused.value) == what


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://a.example/x?y=z", "a.example", 443),
        ("http://a.example", "a.example", 80),
        ("https://a.example:8443/", "a.example", 8443),
        ("https://[::1]:8443/", "[::1]", 8443),
        ("https://a.example/bücher", "a.example", 443),
    ],
)
def test_a_plain_url_gives_host_and_port(url: str, host: str, port: int) -> None:
    """The default port is the scheme's."""
    assert split_url(url) == (host, port)


def test_libpq_is_given_the_judged_addresses_and_the_name() -> None:
    """libpq connects to hostaddr and checks the certificate against host; with several it tries them in turn."""
    destination = guard("1.1.1.1", "2606:4700::1").destination("db.example", 5432)

    assert destination.libpq() == {
        "host": "db.example,db.example",
        "hostaddr": "1.1.1.1,2606:4700::1",
        "port": "5432,5432",
    }


def test_a_name_without_an_address_is_unavailable() -> None:
    """An empty answer is not an error of the setting: DNS may be back in a minute."""
    with pytest.raises(UnavailableError, match="the host has no address"):
        guard().destination("api.example", 443)


def test_the_name_is_resolved_once() -> None:
    """What was judged is what is used: a second look-up could answer otherwise."""
    answers = [["10.0.0.1"], ["1.1.1.1"]]
    fickle = HostGuard(lambda host, port: answers.pop())

    assert fickle.destination("api.example", 443).addresses == ("1.1.1.1",)
    assert answers == [["10.0.0.1"]]


@given(st.ip_addresses(v=6) | st.ip_addresses(v=4))
def test_every_address_has_a_kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """The table is total: whatever is not known to be public is reserved."""
    assert kinds(str(address))


@given(st.ip_addresses(v=4))
def test_no_wrapping_makes_an_ipv4_address_public(inner: ipaddress.IPv4Address) -> None:
    """Mapped, compatible, NAT64, 6to4: the address inside is judged like itself."""
    number = int(inner)
    wrapped = [
        (0xFFFF << 32) + number,
        (0x64FF9B << 96) + number,
        (0x2002 << 112) + (number << 80),
        (0x20010000 << 96) + (number << 64),
    ]
    own = kinds(str(inner)) - {"public"}

    assert all(own <= kinds(str(ipaddress.IPv6Address(value))) for value in wrapped)


@given(st.text())
def test_reading_a_host_is_total(text: str) -> None:
    """Any text is a host in its one spelling, or one clear error."""
    try:
        normal = normal_host(text)
    except HostRefusedError:
        return
    assert normal_host(f"[{normal}]" if ":" in normal else normal) == normal
