"""Brings the update feed and its signature: two small files, nothing told of who asks but that it is NovaDesk."""

import os
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from novadesk.errors import KnownError, Reason
from novadesk.feed import MAX_FEED_BYTES, MAX_SIGNATURE_BYTES, SIGNATURE_SUFFIX, FeedRefused, Refusal
from novadesk.transport.https import Answer, Https, TooMuch, find_endpoint

_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "NovaDesk", "Accept-Encoding": "identity", "Cache-Control": "no-cache"}


class FeedHttp:
    """Asks for a feed.

    Args:
        ca_bundle: PEM file trusted besides the system's store, or empty.
        environment: names the proxy.
        timeout_s: longest time for one file, in seconds.
    """

    def __init__(
        self, *, ca_bundle: str = "", environment: Mapping[str, str] = os.environ, timeout_s: float = 20.0
    ) -> None:
        self._https = Https(ca_bundle=ca_bundle, environment=environment, timeout_s=timeout_s)

    async def fetch(self, address: str) -> tuple[bytes, bytes]:
        """Return feed and signatures as they are there, unjudged.

        Raises:
            FeedRefused: `INSECURE`, `MISSING` or `TOO_BIG`.
            KnownError: `BAD_SETTINGS` for an address that is none of an encrypted server, or why it cannot be asked.
        """
        if find_endpoint(address) is None:
            raise KnownError(
                Reason.BAD_SETTINGS,
                "The address of the update feed is not one of an encrypted server.",
                "Set [updates] feed to one that begins with https://.",
            )
        content = await self._get(address, MAX_FEED_BYTES)
        return content, await self._get(address + SIGNATURE_SUFFIX, MAX_SIGNATURE_BYTES)

    async def _get(self, address: str, most_bytes: int) -> bytes:
        """Return a file; a redirection may lead to another server, but never out of encryption."""
        encrypted = urlsplit(address).scheme == "https"
        for _ in range(_REDIRECTS + 1):
            endpoint = find_endpoint(address)
            if endpoint is None or (encrypted and not endpoint.tls):
                raise FeedRefused(Refusal.INSECURE)
            try:
                answer: Answer = await self._https.ask(
                    "GET", address, endpoint, headers=_HEADERS, most_bytes=most_bytes
                )
            except TooMuch as error:
                raise FeedRefused(Refusal.TOO_BIG) from error
            if answer.status == 200:
                return answer.body
            if answer.status not in _MOVED or not answer.location:
                break
            try:
                address = urljoin(address, answer.location)
            except ValueError as error:
                raise FeedRefused(Refusal.INSECURE) from error
        raise FeedRefused(Refusal.MISSING, status=str(answer.status))
