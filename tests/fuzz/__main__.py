"""A long attack on the readers: ``python -m tests.fuzz MUTATIONS SEED``."""

import sys
import tempfile
from pathlib import Path

from .files import attack

mutations, seed = map(int, sys.argv[1:])
folder = Path(tempfile.mkdtemp(prefix="deltarule-fuzz-"))  # a file that fails is left there
print(attack(folder, mutations, seed))
