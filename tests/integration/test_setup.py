"""scripts/setup.sh looks for an interpreter that works, in its order, and says one sentence when there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
TOOLS = ("bash", "cat", "cut", "dirname", "env", "grep", "id", "mkdir", "printf", "rm", "sha256sum", "tail", "uname")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Make a folder of ordinary tools without any Python, apt, sudo or uv."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy what setup.sh reads, so that nothing is written into the tree under test."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "build").mkdir()
    for name in ("requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def dead(folder: Path, name: str) -> Path:
    """Make a program that is found but does not run, as a version manager leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\nexit 127\n")
    program.chmod(0o755)
    return program


def find_python(project: Path, path: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run the search alone."""
    return subprocess.run(
        ["bash", "-c", ". scripts/setup.sh; FOUND=; find_python && echo found=$FOUND"],
        cwd=project,
        env={"HOME": str(project / "home"), "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def alive(folder: Path, name: str) -> Path:
    """Make a program that is the interpreter of this test run."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\nexec "{REAL}" "$@"\n')
    program.chmod(0o755)
    return program


def test_a_dead_shim_on_path_is_passed_over(project: Path, tools: Path, tmp_path: Path) -> None:
    dead(tmp_path / "shims", "python3.12")
    good = alive(tmp_path / "good", "python3.12")
    done = find_python(project, os.pathsep.join(map(str, (tmp_path / "shims", tmp_path / "good", tools))))
    assert done.stdout.strip() == f"found={good}"


def test_the_persons_choice_comes_first(project: Path, tools: Path, tmp_path: Path) -> None:
    alive(tmp_path / "good", "python3.12")
    chosen = alive(tmp_path / "chosen", "my-python")
    done = find_python(project, f"{tmp_path / 'good'}:{tools}", PYTHON=str(chosen))
    assert done.stdout.strip() == f"found={chosen}"


def test_a_choice_that_does_not_work_is_said_and_the_search_goes_on(project: Path, tools: Path, tmp_path: Path) -> None:
    good = alive(tmp_path / "good", "python3")
    done = find_python(project, f"{tmp_path / 'good'}:{tools}", PYTHON=str(dead(tmp_path / "bad", "python")))
    assert "is not a working Python 3.12 or 3.13" in done.stdout
    assert done.stdout.strip().endswith(f"found={good}")


def test_versions_that_pyenv_has_installed_are_used(project: Path, tools: Path) -> None:
    dead(project / "home/.pyenv/versions/3.12.0/bin", "python")
    good = alive(project / "home/.pyenv/versions/3.13.0/bin", "python")
    assert find_python(project, str(tools)).stdout.strip() == f"found={good}"


def test_where_there_is_none_one_sentence_names_the_ways(project: Path, tools: Path) -> None:
    done = find_python(project, str(tools))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for way in ("PYTHON=", "PATH", "pyenv", "distribution", "uv"):
        assert way in done.stderr


def system_packages(project: Path, tools: Path, *, libraries: str) -> "subprocess.CompletedProcess[str]":
    """Run the step for the system's packages on a machine where nobody may install and none is installed."""
    for name, script in {
        "dpkg-query": "exit 1",
        "ldconfig": f"printf '%s\\n' {libraries}",
        "id": "echo 1000",
        "uname": "echo Linux",
    }.items():
        (tools / name).unlink(missing_ok=True)
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    return subprocess.run(
        ["bash", "-c", ". scripts/setup.sh; system_packages"],
        cwd=project,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_may_not_install_is_told_the_exact_line_and_goes_on_where_the_libraries_are(
    project: Path, tools: Path
) -> None:
    names = "libportaudio.so.2 libEGL.so.1 libGL.so.1 libfontconfig.so.1 libxkbcommon.so.0 libglib-2.0.so.0"
    present = " ".join(f"'\t{name} (libc6) => /lib'" for name in names.split())
    done = system_packages(project, tools, libraries=present)
    assert done.returncode == 0
    assert "    sudo apt-get update && sudo apt-get install --no-install-recommends libportaudio2 " in done.stdout


def test_without_the_libraries_it_stops_and_names_them(project: Path, tools: Path) -> None:
    done = system_packages(project, tools, libraries="'\tlibEGL.so.1 (libc6) => /lib'")
    assert done.returncode == 1
    assert "libportaudio.so.2" in done.stderr
    assert "libEGL.so.1" not in done.stderr


def test_the_lock_names_no_address_and_every_package_has_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line]
    pinned = [number for number, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
    assert len(pinned) > 50
    for number in pinned:
        assert "==" in lines[number]
        assert lines[number + 1].strip().startswith("--hash=sha256:")
