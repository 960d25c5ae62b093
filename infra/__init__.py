"""The Pulumi program: `__main__.py` wires, each other file is one noun."""
