"""The ``deltarule`` command, also as ``python -m deltarule``."""

import sys

from deltarule.errors import MissingExtraError, require


def main() -> None:
    """Run the command line; where its extra is not installed, say so."""
    try:
        for module in ("typer", "rich"):
            require(module, "cli", "the command line")
        from deltarule.cli import run
    except MissingExtraError as error:
        sys.exit(f"error: {error}")
    run()


if __name__ == "__main__":
    main()
