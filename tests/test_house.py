"""The rules of the house that a machine can hold: who may import whom, and that the documents say what is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.stack import ROOT

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
ALLOWED = {
    "app": {"app"},
    "bench": {"bench", "app.settings"},
    "infra": {"infra", "app.metrics", "app.settings"},
    "operate": {"operate", "app", "infra"},
    "policies": {"policies"},
    "sandbox": {"sandbox", "app", "infra", "policies"},
}
"""What the modules of each folder may import of ours."""


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {module for module in found if module.split(".")[0] in (*ALLOWED, "tests")}


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for module in imports(path):
            assert any(module == may or module.startswith(f"{may}.") for may in ALLOWED[folder]), f"{path.name} imports {module}"


def test_the_tables_of_the_readme_are_up_to_date() -> None:
    ended = subprocess.run([sys.executable, "docs/tables.py", "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0, "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_links_in_the_documents_exist(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = re.findall(r"(?:^|`)make ((?:[a-z]+ ?)+)", text, flags=re.MULTILINE)
    for command in commands:
        assert set(command.split()) <= targets, command
    for link in re.findall(r"\]\((?!https?://|#)([^)]+)\)", text):
        assert (document.parent / link).exists(), link
    for path in re.findall(r"`((?:app|infra|sandbox|operate|policies|tests|docs)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def test_nothing_is_written_that_a_template_would_replace() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    placeholders = ["${" + word + "}" for word in ("PROJECT", "DESCRIPTION")]
    texts = {name: (ROOT / name).read_text(errors="ignore") for name in names if (ROOT / name).is_file()}
    assert not [name for name, text in texts.items() if any(placeholder in text for placeholder in placeholders)]
    assert not [name for name, text in texts.items() if name.startswith("Pulumi.") and "encryptionsalt" in text]


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    locked = {path: (ROOT / path).read_text() for path in ("requirements.txt", "app/requirements.txt")}
    assert all("--hash=sha256:" in text for text in locked.values())
    project, container = ({line.split("==")[0] for line in text.splitlines() if "==" in line} for text in locked.values())
    assert container < project
    assert not {"pulumi", "pytest", "moto"} & container
    assert {"starlette", "uvicorn", "boto3", "valkey-glide"} <= container


def test_the_guide_names_every_proof() -> None:
    text = (ROOT / "docs" / "guide.md").read_text()
    proofs = {path.name for path in (ROOT / "tests" / "guide").glob("test_*.py")}
    assert proofs
    assert proofs == set(re.findall(r"tests/guide/(test_\w+\.py)", text))
