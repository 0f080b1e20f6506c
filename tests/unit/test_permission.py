"""The policy to copy, and the permission that a refusal names."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import novadesk.store
from novadesk import permission
from novadesk.errors import KnownError, Reason
from novadesk.store.agentfault import translated
from novadesk.transport.failures import ServiceRefused, translate

KEY = "arn:aws:kms:us-east-1:123456789012:key/0d9a1b2c-0000-4000-8000-123456789abc"
WHO = "User: arn:aws:sts::123456789012:assumed-role/Sales/anna"
ON = "on resource: arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0"


def statements(region: str = "us-east-1", kms_key: str = "") -> dict[str, dict[str, object]]:
    made = json.loads(permission.policy(region, kms_key))
    assert made["Version"] == "2012-10-17"
    return {statement["Sid"]: statement for statement in made["Statement"]}


def test_both_ways_to_invoke_are_allowed_on_foundation_models() -> None:
    voice = statements()["NovaDeskVoice"]
    assert voice["Action"] == ["bedrock:InvokeModel", "bedrock:InvokeModelWithBidirectionalStream"]
    assert voice["Resource"] == "arn:aws:bedrock:us-east-1::foundation-model/*"


def test_every_call_to_the_session_store_is_allowed_where_it_can_be() -> None:
    source = "".join(file.read_text() for file in Path(novadesk.store.__file__).parent.glob("*.py"))
    calls = set(re.findall(r'"((?:create|get|update|end|delete|list|put)_(?:session|invocation)[a-z_]*)"', source))
    assert len(calls) >= 10
    made = statements()
    allowed = {str(action) for name in ("NovaDeskSessions", "NovaDeskListSessions") for action in made[name]["Action"]}  # type: ignore[attr-defined]
    assert {f"bedrock:{''.join(map(str.capitalize, call.split('_')))}" for call in calls} == allowed
    assert made["NovaDeskSessions"]["Resource"] == "arn:aws:bedrock:us-east-1:*:session/*"
    assert (made["NovaDeskListSessions"]["Action"], made["NovaDeskListSessions"]["Resource"]) == (
        ["bedrock:ListSessions"],
        "*",
    )


def test_a_key_is_allowed_only_when_there_is_one() -> None:
    assert "NovaDeskKey" not in statements()
    made = statements(kms_key=KEY)
    assert made["NovaDeskKey"]["Resource"] == made["NovaDeskLookAtKey"]["Resource"] == KEY
    assert made["NovaDeskKey"]["Action"] == ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]


def test_the_partition_is_that_of_the_region() -> None:
    assert statements("us-gov-west-1")["NovaDeskVoice"]["Resource"] == (
        "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/*"
    )


def test_a_refusal_of_the_voice_names_the_permission_and_nothing_of_the_account() -> None:
    text = f"{WHO} is not authorized to perform: bedrock:InvokeModel {ON} because no identity-based policy allows it"
    known = translate(ServiceRefused(403, "AccessDeniedException", text))
    assert known is not None
    assert known.reason is Reason.ACCESS_DENIED
    assert known.advice == "Ask whoever manages the account for the permission bedrock:InvokeModel."
    assert "123456789012" not in str(known)


def test_a_rule_that_forbids_is_told_from_a_permission_that_is_missing() -> None:
    text = f"{WHO} is not authorized to perform: bedrock:InvokeModel {ON} with an explicit deny in a policy"
    assert permission.advice(text, "") == (
        "A rule of the account forbids bedrock:InvokeModel. Ask whoever manages it to take that out."
    )


def test_a_refusal_that_names_nothing_is_answered_in_general() -> None:
    known = translate(ServiceRefused(403, "AccessDeniedException", "You don't have access to the model."))
    assert known is not None
    assert "ask for access to the model" in known.advice


def test_a_refusal_of_the_session_store_names_the_permission() -> None:
    text = f"{WHO} is not authorized to perform: bedrock:ListSessions"
    told = {"Error": {"Code": "AccessDeniedException", "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 403}}

    def refuse() -> None:
        raise ClientError(told, "ListSessions")  # type: ignore[arg-type]

    with pytest.raises(KnownError) as caught:
        translated(refuse)
    assert caught.value.reason is Reason.SYNC_DENIED
    assert caught.value.advice == "Ask whoever manages the account for the permission bedrock:ListSessions."
