"""Writes the tables of README.md from what they describe; with --check it only says whether they are up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.settings import Settings

README = ROOT / "README.md"


def configuration() -> str:
    """A row for each key of Pulumi.yaml, with what staging and prod say otherwise."""
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    stages = {stage: yaml.safe_load((ROOT / f"Pulumi.{stage}.yaml").read_text())["config"] for stage in ("staging", "prod")}
    rows = ["| key | default | staging | prod | what it is |", "|---|---|---|---|---|"]
    for key, entry in keys.items():
        own = [_code(stages[stage][key]) if key in stages[stage] else "" for stage in stages]
        rows.append(f"| `{key}` | {_code(entry['default'])} | {own[0]} | {own[1]} | {_cell(entry['description'])} |")
    return "\n".join(rows)


def settings() -> str:
    """A row for each variable of the app."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if name in ("openai_api_key", "clients") else field.default
        rows.append(f"| `{field.alias}` | {_code(default)} | {_cell(str(field.description))} |")
    return "\n".join(rows)


def _code(value: Any) -> str:
    if value in ("", [], ()):
        return ""
    if isinstance(value, list | tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def written(text: str) -> str:
    """The text with its tables made anew."""
    for name, table in (("configuration", configuration()), ("settings", settings())):
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- end -->)", flags=re.DOTALL)
        text, found = place.subn(lambda _old, table=table: table, text)
        if found != 1:
            raise SystemExit(f"README.md must have one place <!-- {name} --> … <!-- end -->")
    return text


def main() -> int:
    """Write the tables, or check them; 1 where they were not up to date."""
    now = README.read_text()
    new = written(now)
    if "--check" in sys.argv:
        return int(now != new)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
