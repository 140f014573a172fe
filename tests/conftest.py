"""Check array shapes and types of the computing stages at run time, in every test."""

import os
import tempfile

from jaxtyping import install_import_hook

# Compiled kernels and caches of a test run belong to that run.
os.environ.setdefault("MICROGRAPHIA_CACHE", tempfile.mkdtemp(prefix="micrographia-test-"))

_hook = install_import_hook(["micrographia.simulate", "micrographia.atoms"], "beartype.beartype")
