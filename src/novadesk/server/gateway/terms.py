"""Where a gateway says how its people sign in; see `protocol.signin`."""

from aiohttp import web

from novadesk.protocol.signin import TERMS_PATH, SignInTerms


def terms_route(terms: SignInTerms) -> web.RouteDef:
    """Return the route. Everybody may ask: it is what a person needs before they are known."""
    content = terms.to_json()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=content, content_type="application/json", headers={"Cache-Control": "no-store"})

    return web.get(TERMS_PATH, answer)
