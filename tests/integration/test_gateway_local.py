"""The gateway beside a local server: on its practice partner, with tokens of its own issuer."""

import time
from pathlib import Path

import aiohttp

from novadesk.protocol import envelope_client as said
from novadesk.protocol import envelope_server as told
from novadesk.server.gateway.issuer import LocalIssuer
from tests.support.gateway_host import Client
from tests.support.scripted_partner import running


async def test_a_call_over_the_gateway_of_a_local_server_reaches_its_partner_and_its_store(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    async with running(tmp_path / "server", gateway=folder) as rig, aiohttp.ClientSession() as http:
        issuer = LocalIssuer(folder, clock=time.time)
        headers = {"Authorization": f"Bearer {issuer.mint('ann', valid_s=600.0)}"}
        issuer.close()
        assert rig.address.gateway is not None
        client = Client(await http.ws_connect(rig.address.gateway, headers=headers))
        await client.create()
        await client.ask(said.TextInput(text="hello"), told.TextAccepted)
        await client.until(lambda: "You said hello" in [turn.text for turn in client.all(told.Turn)])
        assert len(client.sound) == 9_600
        await client.say(said.EndSession())
        assert await client.closed() == 1000


async def test_without_one_there_is_none(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert rig.address.gateway is None
