"""Fetching pictures from addresses that strangers name, without being led into the own network.

A name is resolved once, every address that it has must be public, and the connection goes to the
address that was looked at, so that a name cannot change its meaning in between (DNS rebinding).
Redirects are followed by the same rules. Nothing of the request's, no cookie and no proxy of the
environment, goes along. OWASP calls the danger server-side request forgery.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable

import httpx

from bot.api.errors import ApiError
from bot.api.pictures import invalid_url, too_large
from data.images.open import ImageLimits

SECONDS = 15.0  # for all of it
MOST_REDIRECTS = 3
MOST_AT_ONCE = 8
PORTS = frozenset({80, 443})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # leads to an IPv4 address, maybe a private one
_HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": "Glimpse"}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, and leads to no other."""
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64
    ):
        return False
    return address.is_global and not address.is_multicast


class PictureFetcher:
    """Fetches pictures.

    Args:
        allows: Whether an address may be connected to, at a port.
        seconds: How long a picture may take, redirects included.
        tls: Checks certificates; by the usual authorities if not given.
    """

    def __init__(
        self,
        allows: Callable[[Address, int], bool] = lambda ip, port: is_public(ip) and port in PORTS,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allows, self._seconds = allows, seconds
        self._tls = tls or httpx.create_ssl_context(trust_env=False)  # slow: once for all
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def __call__(self, address: str, param: str) -> bytes:
        """The file that an address leads to.

        Args:
            address: It begins with http:// or https://.
            param: The field of the request that it is in.

        Raises:
            ApiError: 400 if it cannot be had, 413 if it is too large.
        """
        try:
            async with asyncio.timeout(self._seconds), self._places:
                return await self._fetch(address, param)
        except TimeoutError:
            raise invalid_url("The picture took too long to fetch.", param) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, ValueError):
            # No more than that: it would tell a stranger what is behind an address.
            raise invalid_url("The picture could not be fetched.", param) from None

    async def _fetch(self, address: str, param: str) -> bytes:
        url = httpx.URL(address)
        async with httpx.AsyncClient(
            trust_env=False, timeout=self._seconds, verify=self._tls
        ) as client:
            for _ in range(MOST_REDIRECTS + 1):
                request = await self._request(client, url, param)
                response = await client.send(request, stream=True)
                try:
                    if not response.has_redirect_location:
                        return await _content(response, param)
                    url = url.join(response.headers["location"])
                finally:
                    await response.aclose()
        raise invalid_url("The picture's address was redirected too often.", param)

    async def _request(
        self, client: httpx.AsyncClient, url: httpx.URL, param: str
    ) -> httpx.Request:
        """A request to the address that was looked at, in the name of the host that was asked."""
        port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
        if not port or not url.host or url.userinfo:
            raise invalid_url("The picture's address cannot be used.", param)
        found = await _resolve(url.host, port)
        if not found or not all(self._allows(each, port) for each in found):
            raise invalid_url("The picture's address is not a public one.", param)
        return client.build_request(
            "GET",
            url.copy_with(host=str(found[0]), fragment=None),
            headers={**_HEADERS, "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # IPv4 first, for not every computer reaches the internet by IPv6. A zone begins with "%".
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


async def _content(response: httpx.Response, param: str) -> bytes:
    if response.status_code != 200:
        raise invalid_url("The picture could not be fetched.", param)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise invalid_url("The picture came compressed, which was not asked for.", param)
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > ImageLimits.bytes:
            raise too_large(param)
    if not content:
        raise ApiError(400, "The picture is empty.", "invalid_image", param=param)
    return bytes(content)
