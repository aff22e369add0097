"""Where a host's VM goes: node, storage, VM id and the way to it, explained, the same for the same site."""

from pvenix.lifecycle.placement.decide import NoNode, candidates_of, decide, decide_all, look_up
from pvenix.lifecycle.placement.values import Candidate, Decision, Route, Scores, Way

__all__ = [
    "Candidate",
    "Decision",
    "NoNode",
    "Route",
    "Scores",
    "Way",
    "candidates_of",
    "decide",
    "decide_all",
    "look_up",
]
