"""The sandbox's commands: `python -m sandbox` (make local), and with `smoke`, `plan --stage prod` or `policy --stage prod`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from sandbox.errors import SandboxError


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The whole production stack on this machine, with no account.")
    parser.set_defaults(command="local")
    commands = parser.add_subparsers(dest="command", metavar="smoke | plan | policy")
    for command in (parser, smoke := commands.add_parser("smoke", help="bring it up, drive it with OpenAI's client, take it down")):
        command.add_argument("--tasks", type=_count, help="how many tasks to run (default: the stage's minimum)")
        command.add_argument("--in-process", action="store_true", help="run the program without the pulumi CLI even where it is there")
    parser.add_argument("--port", type=int, default=8080, help="port of the gateway (default: 8080; 0: any free one)")
    parser.add_argument("--describe", type=Path, metavar="FILE", help="write what runs where to FILE, as JSON, once it is ready")
    parser.add_argument("--real-openai", action="store_true", help="call OpenAI, with the key in OPENAI_API_KEY, instead of the stand-in")
    smoke.set_defaults(command="smoke")
    plan = commands.add_parser("plan", help="what a stage would create, with no account")
    plan.add_argument("--json", action="store_true", help="every resource with its inputs, and the outputs, as JSON")
    policy = commands.add_parser("policy", help="whether a stage satisfies the policy pack, with no account")
    policy.add_argument("--json", action="store_true", help="what each policy found, as JSON")
    for command in (plan, policy):
        command.add_argument("--stage", required=True)
        command.add_argument(
            "--config", action="append", default=[], metavar="KEY=VALUE", help="configuration that differs from the stage's"
        )
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 16:  # noqa: PLR2004  each is a process of some 80 MB
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tasks: 1 to 16")
    return int(text)


def _overrides(items: list[str]) -> dict[str, str]:
    for item in items:
        if "=" not in item:
            raise SandboxError(f"--config wants KEY=VALUE, not {item!r}")
    return dict(item.split("=", 1) for item in items)


def main(arguments: list[str]) -> int:
    """Run a command; its exit code."""
    options = _arguments(arguments)
    console = Console(stderr=True)
    try:
        match options.command:
            case "plan":
                from sandbox.plan import plan, show  # noqa: PLC0415  each command imports only what it needs

                overrides = _overrides(options.config)
                planned = asyncio.run(plan(options.stage, overrides))
                if options.json:
                    sys.stdout.write(json.dumps(planned, indent=1) + "\n")
                else:
                    show(Console(), planned)
                return 0
            case "policy":
                from sandbox.policy import as_json, check, show as show_report  # noqa: PLC0415

                report = asyncio.run(check(options.stage, _overrides(options.config), datetime.now(UTC).date()))
                if options.json:
                    sys.stdout.write(json.dumps(as_json(options.stage, report), indent=1) + "\n")
                else:
                    show_report(Console(), options.stage, report)
                return 0 if report.passed else 1
            case "smoke":
                from sandbox.smoke import smoke  # noqa: PLC0415

                return asyncio.run(smoke(console, tasks=options.tasks, in_process=options.in_process))
            case _:
                from sandbox.local import serve  # noqa: PLC0415

                return asyncio.run(serve(console, options))
    except SandboxError as error:
        console.print(f"[red bold]error:[/] {error}", highlight=False, soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
