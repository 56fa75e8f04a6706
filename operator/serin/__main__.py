"""`python -m serin` is the `serin` command."""

import sys

from serin.cli.main import main

sys.exit(main())
