"""`python -m gpsdream_app` is the command line."""

import sys

from gpsdream_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
