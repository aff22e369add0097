"""Where a host's VM goes: node, storage, VM id and the way to it, explained, the same for the same site."""

from pvenix.lifecycle.placement.decide import decide, decide_all
from pvenix.lifecycle.placement.values import Candidate, Decision, Route, Scores, Way

__all__ = ["Candidate", "Decision", "Route", "Scores", "Way", "decide", "decide_all"]
