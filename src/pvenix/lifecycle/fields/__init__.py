"""The fields of a VM that the inventory manages: what is wanted, how it compares, and how it is written."""

from pvenix.lifecycle.fields.compare import compare
from pvenix.lifecycle.fields.wanted import Wanted, declared, wanted, wanted_of

__all__ = ["Wanted", "compare", "declared", "wanted", "wanted_of"]
