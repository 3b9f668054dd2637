"""Rate limits, in memory: a bucket for every address, token and account.

A bucket holds `Rate.count` and fills evenly within `Rate.seconds` (the generic cell rate
algorithm: one number a key, the moment at which the bucket is full again). Buckets of the least
recently seen keys are dropped first, so that memory stays bounded whoever asks.
"""

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from datacomp_server.kit.errors import TooManyRequests

_MAX_KEYS = 100_000
_IPV6_NETWORK = 64  # what one subscriber holds; single addresses cost nothing


@dataclass(frozen=True)
class Rate:
    """At most `count` within `seconds`, all of them at once if need be."""

    count: int
    seconds: float


class Limiter:
    """The buckets of one service; `clock` is the service's."""

    def __init__(self, clock: Callable[[], datetime], *, max_keys: int = _MAX_KEYS) -> None:
        self._clock, self._max_keys = clock, max_keys
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, kind: str, key: str, rate: Rate) -> None:
        """Take one of `rate`; `TooManyRequests`, which says when to come back, if none is left.

        `kind` says of what there are too many: "requests of this address".
        """
        moment = self._clock().timestamp()
        with self._lock:
            full_at = max(moment, self._full_at.get((kind, key), moment))
            full_at += rate.seconds / rate.count
            wait = full_at - moment - rate.seconds
            if wait > 1e-6:
                self._full_at.move_to_end((kind, key))
                raise TooManyRequests(_sentence(kind, rate), retry_after_seconds=wait)
            self._full_at[kind, key] = full_at
            self._full_at.move_to_end((kind, key))
            if len(self._full_at) > self._max_keys:
                self._full_at.popitem(last=False)

    def give_back(self, kind: str, key: str, rate: Rate) -> None:
        """Undo one `take`: what it was for is counted elsewhere, or did not need the limit."""
        with self._lock:
            if (kind, key) in self._full_at:
                self._full_at[kind, key] -= rate.seconds / rate.count


def network_of(address: str) -> str:
    """What one limit covers: an IPv4 address, an IPv6 network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)


def _sentence(kind: str, rate: Rate) -> str:
    return (
        f"too many {kind}: {rate.count:,} in {rate.seconds:g} s are allowed. "
        "Retry-After says when the next one is."
    )
