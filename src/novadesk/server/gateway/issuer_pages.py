"""The few pages that the local issuer shows in a browser. No script, nothing from elsewhere."""

from html import escape

from aiohttp import web

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:30em;margin:12vh auto;padding:0 1em;color:#1b1b1f;background:#fff}
h1{font-size:1.4em}label{display:block;margin:1em 0 .3em}
input{font:inherit;padding:.4em;width:100%;box-sizing:border-box}
button{font:inherit;padding:.5em 1.2em;margin:1.4em .6em 0 0}
@media(prefers-color-scheme:dark){body{color:#e6e6ea;background:#16161a}}
"""
# A form's answer leads on to the client, which listens on this computer.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' http://127.0.0.1:* http://localhost:* http://[::1]:*"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def consent(name: str, user: str) -> web.Response:
    """Ask whether NovaDesk may sign in; `name` is that of the wish."""
    return _page(
        "Sign in to the local gateway",
        f"""<p>NovaDesk on this computer wants to talk through the gateway that runs here.</p>
<form method="post" action="/authorize"><input type="hidden" name="wish" value="{escape(name)}">
{_user_field(user)}<button name="answer" value="allow" autofocus>Allow</button>
<button name="answer" value="deny">Refuse</button></form>""",
    )


def activation(user_code: str, user: str, *, note: str = "", status: int = 200) -> web.Response:
    """Ask for the code that a device shows."""
    told = f'<p role="alert"><strong>{escape(note)}</strong></p>' if note else ""
    return _page(
        "Sign in another NovaDesk",
        f"""{told}<p>Go on only if you see this code in NovaDesk just now.</p>
<form method="post" action="/activate"><label for="code">Code</label>
<input id="code" name="user_code" value="{escape(user_code)}" autocomplete="off" maxlength="20" required>
{_user_field(user)}<button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Refuse</button></form>""",
        status=status,
    )


def told(title: str, sentence: str, *, status: int = 200) -> web.Response:
    """Tell something."""
    return _page(title, f"<p>{escape(sentence)}</p>", status=status)


def _user_field(user: str) -> str:
    return (
        '<label for="user">Your name, as the gateway knows you</label>'
        f'<input id="user" name="user" value="{escape(user)}" maxlength="255" required>'
    )


def _page(title: str, body: str, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        text=f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>",
        content_type="text/html",
        headers=_HEADERS,
    )
