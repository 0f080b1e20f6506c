""".github/workflows: held to the schema of GitHub's workflows, and to what is in the project."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.support.recipes import load

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCHEMA = json.loads((ROOT / "tests" / "data" / "github_workflow.json").read_text(encoding="utf-8"))
SYSTEMS = {f"{system}-{arch}" for system in ("linux", "windows", "macos") for arch in ("x64", "arm64")}


def _load(file: Path) -> dict[str, Any]:
    # BaseLoader: YAML 1.1 would read the key "on" as true.
    return dict(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))


def _typed(file: Path) -> dict[str, Any]:
    """Return a workflow with numbers and truths, as the schema wants them."""
    typed = yaml.safe_load(file.read_text(encoding="utf-8"))
    typed["on"] = typed.pop(True)
    return dict(typed)


def _steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_is_what_github_takes(file: Path) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    workflow = _typed(file)
    assert [error.message for error in validator.iter_errors(workflow)] == []
    # The schema is one that finds something.
    assert list(validator.iter_errors({**workflow, "unheardOf": 1}))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_do_little_and_runs_what_was_looked_at(file: Path) -> None:
    workflow = _load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) <= 90
    for step in _steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        # What an event says is no part of a script: it could be one.
        assert not re.search(r"\$\{\{\s*(github\.event|github\.head_ref)", step.get("run", ""))
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] == "false"


def test_packages_are_built_and_tried_for_every_system_and_processor() -> None:
    workflow = _load(ROOT / ".github" / "workflows" / "packages.yml")
    build = workflow["jobs"]["build"]
    rows = build["strategy"]["matrix"]["include"]
    assert {f"{row['system']}-{row['arch']}" for row in rows} == SYSTEMS
    assert {system: python for system, (_, python) in load("lint.py").SYSTEMS.items()} == {
        f"{row['system']}-{row['arch']}": row["python"] for row in rows
    }
    for row in rows:
        assert ("arm" in row["runner"] or row["runner"] == "macos-15") == (row["arch"] == "arm64"), row
    release = workflow["jobs"]["release"]
    assert release["needs"] == ["build", "flatpak"]
    said = [step.get("run", "") for step in release["steps"]]
    (source,), (sums,) = (
        [place for place, run in enumerate(said) if word in run] for word in ("espeak_source", "sha256sum")
    )
    assert source < sums < next(place for place, run in enumerate(said) if "gh release create" in run)
    (taken,) = [step["with"] for step in release["steps"] if "download-artifact" in step.get("uses", "")]
    kinds = {
        line.removeprefix("dist/*") for put in _uploads(workflow, taken["pattern"]) for line in put["path"].split()
    }
    assert kinds == {".deb", ".AppImage", ".flatpak", ".exe", ".dmg", ".cdx.json"}


def test_a_flatpak_is_made_of_what_was_frozen_where_the_c_library_is_oldest() -> None:
    workflow = _load(ROOT / ".github" / "workflows" / "packages.yml")
    flatpak = workflow["jobs"]["flatpak"]
    (taken,) = [step["with"] for step in flatpak["steps"] if "download-artifact" in step.get("uses", "")]
    (put,) = _uploads(workflow, taken["name"])
    assert flatpak["needs"] == "build"
    assert put["path"] == "build/tree.tar.gz"
    (packed,) = [step["run"] for step in _steps(workflow) if "tar --create" in step.get("run", "")]
    manifest = yaml.safe_load((ROOT / "packaging" / "flatpak" / "io.github.novadesk.NovaDesk.yaml").read_text("utf-8"))
    made = [source["path"].removeprefix("../../") for source in manifest["modules"][0]["sources"]]
    folders = packed.partition("tree.tar.gz")[2].split()
    for path in made:
        assert (ROOT / path).is_file() or any(path.startswith(folder) for folder in folders), path


def test_the_installed_debian_packages_are_tried_as_root() -> None:
    (step,) = [step for step in _steps(_load(ROOT / ".github/workflows/packages.yml")) if "--clean-root" in str(step)]
    assert step["run"].startswith("sudo env ")
    assert step["if"] == "matrix.system == 'linux'"


def _uploads(workflow: dict[str, Any], pattern: str) -> list[dict[str, str]]:
    """Return what the steps are told that keep something under a name of a pattern."""
    kept = [step["with"] for step in _steps(workflow) if "upload-artifact" in step.get("uses", "")]
    return [one for one in kept if fnmatch(one["name"], pattern)]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_a_workflow_runs_is_there(file: Path) -> None:
    for step in _steps(_load(file)):
        for name in re.findall(r"(?:packaging|scripts)[/\\][\w./\\$-]+\.(?:py|sh|yaml)", step.get("run", "")):
            path = name.replace("\\", "/").replace("$ID", "io.github.novadesk.NovaDesk")
            assert (ROOT / path).is_file(), path
    text = file.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"run: make (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
