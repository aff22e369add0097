"""Named faults: armed by a test or through the control port, taken by the place in the site that misbehaves.

A fault happens on the far side only; nothing here knows who the client is. The site does not import this package: it is
handed `Faults` by whoever composes it.
"""

from __future__ import annotations

from pvenix_lab.site.armed.fault import FOREVER, Fault, Spec
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults.catalogue import CATALOGUE
from pvenix_lab.site.faults.repertoire import Faults
from pvenix_lab.site.faults.rows import ROWS, Row

__all__ = ["CATALOGUE", "FOREVER", "ROWS", "Arg", "Face", "Fault", "Faults", "Kind", "Row", "Spec"]
