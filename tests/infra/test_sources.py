"""Rules about the program's own text, and about what an image is made from."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.image import source_tag
from sandbox.stack import ROOT


def imported(path: Path) -> Iterator[tuple[str, str | None]]:
    """Modules that a file imports, and the name they are given."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((name.name, name.asname) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", None


def test_the_types_of_aws_are_known_to_the_type_checker() -> None:
    found = [path.name for path in (ROOT / "infra").rglob("*.py") for module in imported(path) if module == ("pulumi_aws", "aws")]
    assert not found


def test_no_module_hides_one_of_pythons_own() -> None:
    assert not {path.stem for path in (ROOT / "infra").rglob("*.py")} & sys.stdlib_module_names - {"__main__", "__init__"}


def write(root: Path, **files: str) -> Path:
    (root / "app").mkdir(exist_ok=True)
    (root / "Dockerfile").write_text("FROM scratch")
    for name, text in files.items():
        (root / "app" / f"{name}.py").write_text(text)
    return root


def test_the_same_sources_have_the_same_tag(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = write(tmp_path / "one", a="1", b="2"), write(tmp_path / "other", b="2", a="1")
    (other / "app" / "__pycache__").mkdir()
    (other / "app" / "__pycache__" / "a.pyc").write_text("compiled")
    (other / "README.md").write_text("no part of the image")
    assert source_tag(one) == source_tag(other)


def test_other_sources_have_another_tag(tmp_path: Path) -> None:
    tags = {source_tag(write(tmp_path, a="1")), source_tag(write(tmp_path, a="2")), source_tag(write(tmp_path, b=""))}
    (tmp_path / "Dockerfile").write_text("FROM other")
    assert len(tags | {source_tag(tmp_path)}) == 4
