"""The ids of a session as rows: which of ours leads to which of the service's."""

from dataclasses import dataclass

from novadesk.conversation.api import Carries, Inspection, RemoteFacts, WireFacts
from novadesk.models import SyncState
from novadesk.text import Text
from novadesk.ui.i18n import tr, trn


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRow:
    """One row. `depth`: how far it is behind the one that leads to it; `copies`: its value is an id to copy."""

    title: str
    value: str
    note: str = ""
    depth: int = 0
    copies: bool = True


_CARRIES = {
    Carries.OPENING: Text("being opened"),
    Carries.READY: Text("ready to take over"),
    Carries.LIVE: Text("carries the conversation"),
}
_STATES = {
    "intended": Text("being made"),
    "bound": Text("takes turns"),
    "closed": Text("closed for writing"),
    "gone": Text("the service has it no more"),
}
_TURN = {
    SyncState.LOCAL: Text("not saved yet"),
    SyncState.PENDING: Text("waiting to sync"),
    SyncState.SYNCED: Text("synced"),
    SyncState.FAILED: Text("not synced"),
}


def id_rows(inspection: Inspection) -> tuple[IdRow, ...]:
    """Return the rows: the conversation, its wire sessions and invocations, its remote sessions, its newest turn."""
    rows = [
        IdRow(title=tr("Conversation"), value=inspection.handle, note=inspection.label)
        if inspection.handle
        else IdRow(title=tr("Conversation"), value=tr("no stored one is open"), copies=False)
    ]
    for wire in inspection.wires:
        rows += _of_wire(wire)
    if not inspection.wires:
        rows.append(IdRow(title=tr("Wire session"), value=tr("none is open"), depth=1, copies=False))
    if inspection.closing:
        closing = str(inspection.closing)
        rows.append(IdRow(title=tr("Being torn down"), value=closing, depth=1, copies=False))
    for remote in inspection.remote:
        rows.append(_of_remote(remote))
    if inspection.handle and not inspection.remote:
        rows.append(IdRow(title=tr("Remote session"), value=tr("none was made yet"), depth=1, copies=False))
    if inspection.turn_id:
        note = tr(_TURN[inspection.turn_sync])
        rows.append(IdRow(title=tr("Newest turn = step"), value=inspection.turn_id, note=note, depth=1))
    return tuple(rows)


def _of_wire(wire: WireFacts) -> list[IdRow]:
    notes = [tr(_CARRIES[wire.carries])]
    if wire.age_s is not None:
        notes.append(tr("for {s} s", s=round(wire.age_s)))
    if wire.left_s is not None:
        notes.append(tr("keys good for {s} s", s=max(0, round(wire.left_s))))
    title = tr("Wire session {n} = invocation", n=wire.generation)
    return [
        IdRow(title=title, value=wire.wire_id, note=", ".join(notes), depth=1),
        IdRow(title=tr("Prompt on the wire"), value=wire.prompt, depth=2),
    ]


def _of_remote(remote: RemoteFacts) -> IdRow:
    title = tr("Remote session {n}", n=remote.generation)
    state = tr(_STATES.get(remote.state, remote.state))
    note = trn("{state}, 1 step", "{state}, {n} steps", remote.steps, state=state)
    if not remote.session_id:
        hidden = tr("in the keyring, not read in this run")
        return IdRow(title=title, value=hidden, note=note, depth=1, copies=False)
    return IdRow(title=title, value=remote.session_id, note=note, depth=1)
