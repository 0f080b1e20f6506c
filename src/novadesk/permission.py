"""What an AWS account has to allow: as a policy to copy, and as it is read from a refusal. Pure.

Names of actions: Service Authorization Reference, Amazon Bedrock. The statements about the key: Amazon Bedrock User
Guide, "Session encryption". None of it has been tried against a live account.
"""

import json
import re
from typing import Any

from novadesk.text import Text

NOT_VERIFIED = Text("This policy was written from AWS's documentation. It has not been tried against a live account.")

VOICE_ACTIONS = ("InvokeModel", "InvokeModelWithBidirectionalStream")
"""Older and newer documents of AWS name one each."""

SESSION_ACTIONS = (
    "CreateSession", "GetSession", "UpdateSession", "EndSession", "DeleteSession",
    "CreateInvocation", "PutInvocationStep", "GetInvocationStep", "ListInvocationSteps",
)  # fmt: skip

_REFUSED = re.compile(r"not authorized to perform: ?([\w-]+:\w+)")
_MARKETPLACE = re.compile(r"aws-marketplace:\w+")


def policy(region: str, kms_key: str = "") -> str:
    """Return the IAM policy that NovaDesk needs, as JSON to paste into the IAM console.

    Args:
        region: where the model is called, such as "us-east-1"; it also tells the partition.
        kms_key: ARN of the key that the remote copies are encrypted with, or empty.
    """
    part = partition(region)
    sessions = f"arn:{part}:bedrock:{region}:*:session/*"
    statements: list[dict[str, Any]] = [
        _allow("NovaDeskVoice", VOICE_ACTIONS, f"arn:{part}:bedrock:{region}::foundation-model/*"),
        _allow("NovaDeskSessions", SESSION_ACTIONS, sessions),
        _allow("NovaDeskListSessions", ("ListSessions",), "*"),
    ]
    if kms_key:
        through = {"kms:ViaService": f"bedrock.{region}.amazonaws.com"}
        context = {"kms:EncryptionContext:aws:bedrock:session:arn": sessions}
        use = _allow("NovaDeskKey", ("Encrypt", "Decrypt", "GenerateDataKey"), kms_key, service="kms")
        look = _allow("NovaDeskLookAtKey", ("DescribeKey",), kms_key, service="kms")
        statements += [
            use | {"Condition": {"StringLike": context, "StringEquals": through}},
            look | {"Condition": {"StringEquals": through}},
        ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def partition(region: str) -> str:
    """Return the part of AWS that a region belongs to, as ARNs name it."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def missing(refusal: str) -> tuple[str, ...]:
    """Return the actions that a refusal of AWS names, such as "bedrock:CreateSession"; none when it names none.

    Args:
        refusal: AWS's own words. They hold account and role and are neither shown nor logged.
    """
    found = _REFUSED.findall(refusal) or _MARKETPLACE.findall(refusal)
    return tuple(dict.fromkeys(found))


def denied_explicitly(refusal: str) -> bool:
    """Return whether a rule forbids it, which no further permission mends."""
    return "explicit deny" in refusal


def advice(refusal: str, otherwise: str) -> str:
    """Return what helps against a refusal: the permission by its name, or `otherwise` when the refusal names none."""
    names = ", ".join(missing(refusal))
    if not names:
        return otherwise
    if denied_explicitly(refusal):
        return Text("A rule of the account forbids {names}. Ask whoever manages it to take that out.", names=names)
    return Text("Ask whoever manages the account for the permission {names}.", names=names)


def _allow(name: str, actions: tuple[str, ...], resource: str, *, service: str = "bedrock") -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resource,
    }
