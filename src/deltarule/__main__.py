"""The ``deltarule`` command, also as ``python -m deltarule``."""

import sys

from deltarule.errors import MissingExtraError, ResourceError, require, unloadable


def main() -> None:
    """Run the command line; where what it needs cannot be loaded, say so."""
    try:
        for module in ("typer", "rich"):
            require(module, "cli", "the command line")
        from deltarule.cli import run
    except (MissingExtraError, ResourceError) as error:
        sys.exit(f"error: {error}")
    except ImportError as error:
        sys.exit(f"error: {unloadable('the command line', error)}")
    run()


if __name__ == "__main__":
    main()
