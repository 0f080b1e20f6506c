"""What packaging/gateway ships: held to the program, to the schemas of Kubernetes, and to linters where these are."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import pytest
import yaml

from novadesk import __version__, permission
from novadesk.cli import _parser as make_parser
from novadesk.diagnostics.metrics import Measure
from novadesk.server.gateway.metrics import GatewayMetrics
from novadesk.server.gateway.options import Timing

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "packaging" / "gateway"
MANIFESTS = sorted((SHIPPED / "kubernetes").glob("*.yaml"))
SCHEMA = ROOT / "tests" / "data" / "kubernetes_1_34.json"
KNOWN_VARIABLES = {
    "AWS_REGION", "SESSION_MAX_CONCURRENT", "SESSION_TIMEOUT", "NOVADESK_ISSUER", "NOVADESK_AUDIENCE",
    "NOVADESK_CLIENT_ID", "NOVADESK_SCOPE",
}  # fmt: skip
SECRET = re.compile(r"(?i)(secret|password|token|access_key)\w*\s*[=:]\s*['\"]?[A-Za-z0-9/+]{8,}")


def _load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _of_kind(kind: str) -> dict[str, Any]:
    (found,) = [one for one in map(_load, MANIFESTS) if one["kind"] == kind]
    return dict(found)


def _pod() -> dict[str, Any]:
    return dict(_of_kind("Deployment")["spec"]["template"]["spec"])


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def _instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, long lines joined."""
    text = (SHIPPED / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(word, rest) for word, rest in lines]


def _entry() -> list[str]:
    (entry,) = [json.loads(rest) for word, rest in _instructions() if word == "ENTRYPOINT"]
    return list(entry)


# --- Docker ---


def test_the_image_runs_as_nobody_special_what_the_command_line_takes() -> None:
    instructions = _instructions()
    last = [word for word, _ in instructions].index("FROM", 1)
    final = dict(instructions[last:])
    user, _, group = final["USER"].partition(":")
    assert int(user) > 1000
    assert int(group) > 1000
    assert final["STOPSIGNAL"] == "SIGTERM"
    assert _entry()[0] == "novadesk"
    parsed = make_parser().parse_args([*_entry()[1:], *json.loads(final["CMD"])])
    assert (parsed.host, parsed.port, parsed.upstream) == ("0.0.0.0", int(final["EXPOSE"]), "bedrock")
    assert f":{parsed.port}/health" in final["HEALTHCHECK"]


def test_the_image_is_made_of_named_versions_and_of_files_that_are_there() -> None:
    stages = set()
    ignore = (SHIPPED / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[0] == "*"
    for word, rest in _instructions():
        if word == "FROM":
            image, _, stage = rest.partition(" AS ")
            assert re.fullmatch(r"python:3\.12-slim-\w+", image)
            stages.add(stage)
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _ = shlex.split(rest)
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignore
        assert not SECRET.search(rest), word
    assert stages == {"build", ""}


@pytest.fixture(scope="module")
def requirements() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gateway_requirements", SHIPPED / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_image_gets_what_the_lock_says(requirements: ModuleType) -> None:
    assert requirements.content() == (SHIPPED / "requirements.txt").read_text(encoding="utf-8")
    assert not {"pyside6-essentials", "sounddevice", "moto"} & requirements.closure()


_IMPORTS = """
import sys
from importlib.metadata import packages_distributions
import novadesk.app.gateway, novadesk.app.gateway_token
import novadesk.transport.sdk
from novadesk.store.agentruntime import _open_client
from novadesk.store.remoteclient import RemoteAccess
_open_client(RemoteAccess(access_key_id="AKIDEXAMPLE", secret_access_key="practice"), 1.0).close()
known = packages_distributions()
print(*sorted({name for module in sys.modules for name in known.get(module.partition(".")[0], ())}))
"""


def test_the_image_has_every_package_that_the_gateway_imports(requirements: ModuleType) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _IMPORTS], capture_output=True, text=True, check=True, timeout=60
    )
    imported = {re.sub(r"[-_.]+", "-", name).lower() for name in done.stdout.split()}
    # What the interpreter of the tests brings along by itself.
    assert imported - requirements.closure() <= {"novadesk", "setuptools", "certifi"}


def test_compose_runs_two_gateways_as_the_image_is_meant() -> None:
    compose = _load(SHIPPED / "compose.yaml")
    gateways = [one for name, one in compose["services"].items() if name.startswith("gateway")]
    assert len(gateways) == 2
    timing = Timing()
    for one in gateways:
        parsed = make_parser().parse_args([*_entry()[1:], *one["command"]])
        assert parsed.state == "dynamodb:novadesk-gateway"
        assert one["image"].endswith(f":{__version__}")
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in one["security_opt"]
        assert any(mount.startswith("/var/lib/novadesk") for mount in one["tmpfs"])
        assert _seconds(one["stop_grace_period"]) > timing.drain_s + timing.stop_s
        assert (SHIPPED / one["build"]["context"] / one["build"]["dockerfile"]).resolve() == SHIPPED / "Dockerfile"
        assert set(one["environment"]) <= KNOWN_VARIABLES | {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        }
    assert {name for name in compose["services"]["proxy"]["depends_on"]} == {"gateway-a", "gateway-b"}


# --- Kubernetes ---


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_a_manifest_is_what_kubernetes_takes(file: Path) -> None:
    schema, manifest = json.loads(SCHEMA.read_text(encoding="utf-8")), _load(file)
    wanted = {"$ref": f"#/$defs/{schema['kinds'][manifest['kind']]}", "$defs": schema["$defs"]}
    validator = jsonschema_rs.validator_for(wanted)
    assert [error.message for error in validator.iter_errors(manifest)] == []
    # The schema is one that finds something.
    assert list(validator.iter_errors({**manifest, "unheardOf": 1}))
    assert not SECRET.search(file.read_text(encoding="utf-8"))


def test_an_update_moves_people_before_it_stops_anybody() -> None:
    deployment = _of_kind("Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["replicas"] >= 2
    assert _of_kind("PodDisruptionBudget")["spec"]["minAvailable"] >= 1
    (container,) = _pod()["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    (wait,) = re.findall(r"sleep\((\d+)\)", command[-1])
    probe, timing = container["readinessProbe"], Timing()
    unready_s = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert float(wait) >= unready_s
    assert _pod()["terminationGracePeriodSeconds"] > float(wait) + timing.drain_s + timing.stop_s
    assert probe["httpGet"]["path"] == "/health"
    assert "httpGet" not in container["livenessProbe"]  # a gateway that drains answers 503 and is well


def test_a_pod_may_do_nothing_that_it_does_not_need() -> None:
    pod, (container,) = _pod(), _pod()["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}:" in dict(_instructions())["USER"]
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == set(container["resources"])
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/var/lib/novadesk", "/tmp"}


def test_the_manifests_fit_one_another_and_the_program() -> None:
    labels = _of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert _of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert _of_kind("Service")["spec"]["selector"] == labels
    assert _of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert _of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    (container,) = _pod()["containers"]
    (port,) = container["ports"]
    assert _of_kind("Service")["spec"]["ports"][0]["targetPort"] == port["name"]
    assert port["containerPort"] == make_parser().parse_args(_entry()[1:]).port
    assert container["image"].endswith(f":{__version__}")
    assert make_parser().parse_args([*_entry()[1:], *container["args"]]).audience == ["$(NOVADESK_AUDIENCE)"]
    config = _of_kind("ConfigMap")
    assert container["envFrom"][0]["configMapRef"]["name"] == config["metadata"]["name"]
    assert set(config["data"]) == KNOWN_VARIABLES
    assert _pod()["serviceAccountName"] == _of_kind("ServiceAccount")["metadata"]["name"]


# --- alerts ---


def _rules() -> dict[str, dict[str, Any]]:
    (group,) = _load(SHIPPED / "alerts.yaml")["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_the_alerts_ask_for_what_the_gateway_prints() -> None:
    metrics = GatewayMetrics()
    for measure in (Measure.RESUME_TRIED, Measure.RESUME_COMPLETE, Measure.LOAD, Measure.TURN_KEPT):
        metrics.note(measure)
    metrics.note(Measure.TURN_DELIVERED, 40.0)
    printed = metrics.text().decode()
    for rule in _rules().values():
        asked = re.findall(r"(novadesk_\w+)(\{[^}]*\})?\[", rule["expr"])
        assert asked
        for name, label in asked:
            assert re.search(rf"^{name}{re.escape(label)}[ {{]", printed, re.MULTILINE), (name, label)


def test_the_alerts_are_those_of_the_document() -> None:
    limits = {name: rule["expr"].split()[-2:] for name, rule in _rules().items()}
    assert limits == {
        "NovaDeskRecoveryRateLow": ["<", "0.90"],
        "NovaDeskHistoryLoadSlow": [">", "2"],
        "NovaDeskPersistenceRateLow": ["<", "0.95"],
    }
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in _rules().values())
    tried = {
        one["alertname"] for test in _load(SHIPPED / "alerts_test.yaml")["tests"] for one in test["alert_rule_test"]
    }
    assert tried == set(limits)


# --- AWS ---


def test_the_policy_allows_the_voice_sessions_and_the_items_of_one_table() -> None:
    policy = json.loads((SHIPPED / "policy.json").read_text(encoding="utf-8"))
    statements = {one["Sid"]: one for one in policy["Statement"]}
    assert {action.partition(":")[0] for one in statements.values() for action in one["Action"]} == {
        "bedrock",
        "dynamodb",
    }
    voice = statements["NovaDeskVoice"]
    assert voice["Action"] == [f"bedrock:{name}" for name in permission.VOICE_ACTIONS]
    assert voice["Resource"].endswith("::foundation-model/*")
    assert statements["NovaDeskSessions"]["Resource"].endswith(":session/*")
    assert statements["NovaDeskListSessions"] | {"Sid": ""} == {
        "Sid": "",
        "Effect": "Allow",
        "Action": ["bedrock:ListSessions"],
        "Resource": "*",
    }
    deletes = [one for one in statements["NovaDeskGatewayState"]["Action"] if "Table" in one]
    assert not deletes, "the table stays, whatever is deleted in it"


def test_the_table_and_its_expiry_are_of_one_name() -> None:
    table, expiry = (json.loads((SHIPPED / name).read_text()) for name in ("dynamodb.json", "dynamodb-ttl.json"))
    assert table["TableName"] == expiry["TableName"]
    assert expiry["TimeToLiveSpecification"] == {"Enabled": True, "AttributeName": "expiresAt"}
    assert {one["AttributeName"] for one in table["AttributeDefinitions"]} == {
        one["AttributeName"] for one in table["KeySchema"]
    }
