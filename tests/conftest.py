"""What all tests share, on whatever machine: the same examples drawn, the same programs compiled.

Compiled programs are neither looked for nor left in a user's folder.
"""

import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

# nohup and a shell's background jobs ignore these, and so would the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ["DELTARULE_JAX_CACHE"] = ""
# Hundreds of programs of a few steps each: most of the time XLA would be polishing them. Tests
# that take the fixture `polished` have theirs compiled as users do.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
    "--xla_cpu_parallel_codegen_split_count=1",
)
# Else each of some hundred processes that tests start compiles this package's source anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

collect_ignore = [
    "fuzz/readers.py",  # needs atheris, which `make fuzz` installs
    "sklearn_mocks.py",  # a plugin for scikit-learn's own tests
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark each test that takes the browser, itself or through another fixture."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
