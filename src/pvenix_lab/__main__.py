"""Start the lab: `python -m pvenix_lab serve DIR --fleet-source PATH`."""

from __future__ import annotations

import sys

from pvenix_lab.main import main

sys.exit(main())
