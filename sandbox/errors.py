"""The one error of the sandbox."""


class SandboxError(Exception):
    """Something that the person at the keyboard can put right; the message is one clear line and says how."""
