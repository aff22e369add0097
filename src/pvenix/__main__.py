"""`python -m pvenix` is the console script."""

from __future__ import annotations

from pvenix.entry import main

raise SystemExit(main())
