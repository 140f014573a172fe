"""The command line: one small module a command family."""

from micrographia.cli.app import main

__all__ = ["main"]
