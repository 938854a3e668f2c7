"""Dividing what there is among clients, so that no single one takes all."""

from __future__ import annotations

import ipaddress
from collections import Counter

_IPV6_SITE = 64  # bits of an IPv6 address that name one household or company


class Shares:
    """Counts what each client has taken of a total, such as connections or bytes.

    A client that has taken as much as is still free gets no more. So one alone can take half,
    two can take a third each, and something is always left for whoever comes next: the dynamic
    thresholds of Choudhury and Hahne (1998), "Dynamic queue length thresholds for shared-memory
    packet switches".

    Args:
        total: How much there is.
    """

    def __init__(self, total: int) -> None:
        self.free = total
        self.taken: Counter[str] = Counter()

    def has_room(self, client: str, count: int = 1) -> bool:
        """Tell whether a client may take that much more."""
        return count <= self.free and self.taken[client] < self.free

    def take(self, client: str, count: int = 1) -> None:
        """Give it to a client, which `has_room` allowed."""
        self.free -= count
        self.taken[client] += count

    def give_back(self, client: str, count: int = 1) -> None:
        """Take it back."""
        self.free += count
        self.taken[client] -= count
        if not self.taken[client]:
            del self.taken[client]


def client_of(address: tuple[str, int] | None) -> str:
    """Name the client behind an address: a host, or with IPv6 the network that a host can vary in.

    Args:
        address: Host and port, or none, as with Unix sockets.
    """
    host = address[0] if address else ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return host
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), _IPV6_SITE), strict=False))
