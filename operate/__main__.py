"""The operator's commands: `python -m operate key --stage staging`, `python -m operate client NAME --stage staging`."""

from __future__ import annotations

import argparse
import getpass
import sys

from operate.keys import Keys
from operate.stack import OperateError


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m operate", description="The operator's commands for a deployed stage.")
    commands = parser.add_subparsers(dest="command", required=True)
    key = commands.add_parser("key", help="store the OpenAI key, which is asked for without an echo or read from a pipe")
    client = commands.add_parser("client", help="give a client a key, which is printed once; or take its keys away")
    client.add_argument("name", nargs="?", help="the client; without it the clients are listed")
    client.add_argument("--remove", action="store_true", help="take all keys of the client away")
    for command in (key, client):
        command.add_argument("--stage", required=True)
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main(arguments: list[str]) -> int:
    """Run a command; its exit code."""
    options = _arguments(arguments)
    try:
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
    except OperateError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
