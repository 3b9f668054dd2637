"""What a crawl of strangers' addresses may reach: public hosts, over http and https alone.

A host's addresses are looked up here, every one of them is judged, and the connection goes to one
that was judged: a name that answers otherwise a moment later gains nothing. Redirects go the same
way. No proxy is used, since it would look up the names itself. An answer has a limit of bytes and
of seconds, headers included, however slowly it drips.
"""

import http.client
import io
import socket
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from datacomp.errors import UsageError

# Public by the registry, but of clouds' own: of Azure's agent, and of protocols.
_NOT_FOR_ALL = tuple(map(ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
# Addresses that stand for one of IPv4, in networks that have IPv6 alone.
_NAT64 = IPv6Network("64:ff9b::/96")
_TRIED_ADDRESSES = 4


@dataclass(frozen=True)
class Reach:
    """The limits; `allowed` are networks such as `10.1.2.0/24` that may be reached though they are
    not public. `max_bytes` and `max_seconds` are of one answer.
    """

    allowed: tuple[str, ...] = ()
    max_bytes: int = 64 * 2**20
    max_seconds: float = 120.0

    def __post_init__(self) -> None:
        for text in self.allowed:
            try:
                ip_network(text)
            except ValueError as error:
                raise UsageError(f"expected a network such as 10.1.2.0/24: {error}") from None

    def allows(self, address: str) -> bool:
        """Whether a connection to that address of IPv4 or IPv6 may be made."""
        found = ip_address(address.partition("%")[0])
        return is_public(found) or any(found in ip_network(text) for text in self.allowed)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody in the internet can have that address, and nobody else has it here."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour or address.teredo or address.is_site_local:
            return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address in network for network in _NOT_FOR_ALL)
    )


def guarded_opener(reach: Reach) -> urllib.request.OpenerDirector:
    """What urllib opens addresses with, within `reach`; anything else is an `OSError`."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _HttpHandler(reach),
        _HttpsHandler(reach),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self.reach = reach

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_guarded, http.client.HTTPConnection, self.reach), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, reach: Reach) -> None:
        super().__init__()
        self.reach = reach

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_guarded, http.client.HTTPSConnection, self.reach), req)


def _guarded(kind: Any, reach: Reach, host: str, **options: Any) -> Any:
    """A connection of the standard library's, which reaches and reads within limits."""
    connection = kind(host, **options)
    connection._create_connection = partial(_connect, reach)
    connection.response_class = partial(_response, reach)
    return connection


def _connect(
    reach: Reach, place: tuple[str, int], timeout: Any = None, source_address: Any = None
) -> socket.socket:
    """As `socket.create_connection`, to an address that was judged."""
    host, port = place
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, where in found:
        if not reach.allows(str(where[0])):
            raise OSError(f"{host!r} is at {where[0]}, which is not a public address")
    error: OSError | None = None
    for family, kind, protocol, _, where in found[:_TRIED_ADDRESSES]:
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(timeout)
            connected.connect(where)
            _demand_other(reach, connected)
            return connected
        except OSError as found_error:
            connected.close()
            error = found_error
    raise error or OSError(f"{host!r} has no address")


def _demand_other(reach: Reach, connected: socket.socket) -> None:
    """A public address may be this machine's own."""
    here, there = connected.getsockname()[0], connected.getpeername()[0]
    if here == there and not any(ip_address(there) in ip_network(text) for text in reach.allowed):
        raise OSError(f"{there} is this machine, which is not a public address to it")


def _response(reach: Reach, connected: Any, **options: Any) -> http.client.HTTPResponse:
    metered: Any = _Metered(reach, connected)  # of a socket it has what an answer reads it by
    return http.client.HTTPResponse(metered, **options)


@dataclass(frozen=True)
class _Metered:
    """A socket as far as an answer needs one."""

    reach: Reach
    connected: Any

    def makefile(self, mode: str) -> io.BufferedReader:
        """What the answer is read from."""
        return io.BufferedReader(_Meter(self.reach, self.connected))


class _Meter(io.RawIOBase):
    """The bytes of an answer until there are too many of them, or it took too long."""

    def __init__(self, reach: Reach, connected: Any) -> None:
        self._reach, self._connected = reach, connected
        self._raw = connected.makefile("rb", buffering=0)
        self._patience = connected.gettimeout() or reach.max_seconds
        self._until = time.monotonic() + reach.max_seconds
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"timed out: not whole after {self._reach.max_seconds:.0f} s")
        self._connected.settimeout(min(self._patience, left))
        n: int | None = self._raw.readinto(buffer)
        self._read += n or 0
        if self._read > self._reach.max_bytes:
            raise OSError(f"the answer is larger than {self._reach.max_bytes:,} bytes")
        return n

    def close(self) -> None:
        self._raw.close()
        super().close()
