"""The operator's commands: `python -m operate key`, `client NAME` and `estimate`, each with `--stage staging`."""

from __future__ import annotations

import argparse
import getpass
import json
import sys

from operate.stack import OperateError

TRAFFIC = {
    "requests-per-day": "trafficRequestsPerDay",
    "prompt-tokens": "trafficPromptTokens",
    "output-tokens": "trafficOutputTokens",
    "seconds": "trafficSeconds",
    "cache-hit-percent": "trafficCacheHitPercent",
    "model-mix": "trafficModelMix",
}
"""Options of `estimate` that stand for keys of the configuration."""


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operate", description="The operator's commands for a stage.")
    commands = parser.add_subparsers(dest="command", required=True)
    key = commands.add_parser("key", help="store the OpenAI key, which is asked for without an echo or read from a pipe")
    client = commands.add_parser("client", help="give a client a key, which is printed once; or take its keys away")
    client.add_argument("name", nargs="?", help="the client; without it the clients are listed")
    client.add_argument("--remove", action="store_true", help="take all keys of the client away")
    estimate = commands.add_parser("estimate", help="what a month costs, at AWS and at OpenAI; needs no account")
    estimate.add_argument("--json", action="store_true", help="print it as JSON")
    estimate.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="configuration that differs from the stage's")
    for option, key_ in TRAFFIC.items():
        estimate.add_argument(f"--{option}", dest=key_, metavar="…", help=f"{key_}, for this estimate")
    for command in (key, client, estimate):
        command.add_argument("--stage", required=True)
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _keys(options: argparse.Namespace) -> None:
    from operate.keys import Keys  # noqa: PLC0415  each command imports only what it needs

    keys = Keys(options.stage)
    if options.command == "key":
        keys.store_openai_key(getpass.getpass("OpenAI key: ") if sys.stdin.isatty() else sys.stdin.readline())
        _say(f"stored. Running tasks of {options.stage} use it within a minute; on a first deployment, run `pulumi up` again now.")
    elif not options.name:
        sys.stdout.write("".join(f"{name}\n" for name in keys.clients()))
    elif options.remove:
        keys.remove_client(options.name)
        _say(f"removed. {options.name} is refused within a minute.")
    else:
        sys.stdout.write(keys.add_client(options.name) + "\n")
        _say(f"that is the key of {options.name}: it is shown this once and kept nowhere. It is accepted within a minute.")


def _estimate(options: argparse.Namespace) -> None:
    from operate.estimate import estimate  # noqa: PLC0415  as above

    if wrong := next((item for item in options.set if "=" not in item), None):
        raise OperateError(f"--set wants KEY=VALUE, not {wrong!r}")
    overrides = dict(item.split("=", 1) for item in options.set)
    overrides |= {key: value for key in TRAFFIC.values() if (value := getattr(options, key)) is not None}
    found = estimate(options.stage, overrides)
    if options.json:
        sys.stdout.write(json.dumps(found.document(), indent=1) + "\n")
    else:
        from rich.console import Console  # noqa: PLC0415  as above

        from operate.estimate_table import show  # noqa: PLC0415  as above

        show(Console(), found)


def main(arguments: list[str]) -> int:
    """Run a command; its exit code."""
    options = _arguments(arguments)
    try:
        (_estimate if options.command == "estimate" else _keys)(options)
    except OperateError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
