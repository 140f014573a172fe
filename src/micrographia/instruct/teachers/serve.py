"""A local language model behind a loopback address: the process that `gguf` starts, and that ends with it.

The first line of standard input says which file to load and how; the address is the only line of standard output.
When standard input ends, for whatever reason, so does the process: nothing is left behind by a parent that was killed.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def serve(said: dict[str, Any]) -> str:
    """Start the server and return its address.

    Parameters
    ----------
    said : mapping
        ``file``, ``key``, ``context`` (tokens), ``threads``.
    """
    from xllamacpp import CommonParams, Server

    asked = CommonParams()
    asked.model.path = said["file"]
    asked.hostnames = ["127.0.0.1"]
    asked.port = 0
    asked.api_keys = [said["key"]]
    asked.n_ctx = said["context"]
    asked.n_parallel = 1
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = said["threads"]
    asked.warmup = asked.ui = False
    asked.verbosity = -1
    server = Server(asked)
    _kept.append(server)
    return str(server.listening_address)


_kept: list[object] = []
"""A server serves until it is collected."""


if __name__ == "__main__":
    print(serve(json.loads(sys.stdin.readline())), flush=True)
    sys.stdin.read()
    os._exit(0)  # the server's threads need no farewell
