"""What a gateway keeps of conversations, as the person who held them has it deleted."""

from urllib.parse import quote

from novadesk.transport.gateway_failures import unwelcome
from novadesk.transport.gateway_token import TokenSource
from novadesk.transport.signin_http import SignInHttp
from novadesk.transport.signin_provider import web_address


class GatewayCopies:
    """Fits `store.erasure.GatewayCopies`.

    Args:
        http: asks.
        gateway: its address, as the settings have it.
        tokens: what it is shown.
    """

    def __init__(self, http: SignInHttp, gateway: str, tokens: TokenSource) -> None:
        self._http, self._gateway, self._tokens = http, gateway, tokens

    async def delete(self, handle: str) -> None:
        """Delete all that the gateway has of a conversation.

        Raises:
            KnownError: it is not deleted, or not all of it.
        """
        address = f"{web_address(self._gateway)}/conversation/{quote(handle, safe='')}"
        token = await self._tokens.token()
        status = await self._http.delete(address, token)
        if status == 401:
            self._tokens.refused(token)
            status = await self._http.delete(address, await self._tokens.token())
        if status not in (200, 204):
            raise unwelcome(status)
