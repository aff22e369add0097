"""Named faults: armed by a test or through the control port, taken by the place in the site that misbehaves.

A fault happens on the far side only; nothing here knows who the client is.
"""

from __future__ import annotations

from pvenix_lab.site.faults.armed import FOREVER, Fault, Faults
from pvenix_lab.site.faults.catalogue import CATALOGUE
from pvenix_lab.site.faults.rows import ROWS, Row
from pvenix_lab.site.faults.spec import Arg, Face, Kind, Spec

__all__ = ["CATALOGUE", "FOREVER", "ROWS", "Arg", "Face", "Fault", "Faults", "Kind", "Row", "Spec"]
