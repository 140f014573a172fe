"""``python -m micrographia``: the command line, also for launchers of several processes."""

from micrographia.cli import main

main()
