"""Work behind a screen, which goes on while keys are answered and ends with the screen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode
from textual.worker import Worker


def in_background(
    node: DOMNode, job: Callable[[], Coroutine[Any, Any, object]], *, group: str, exclusive: bool = True
) -> Worker[object]:
    """Do a job; the last one of its group where it is `exclusive`. An error is the job's own to tell, and ends nothing.

    A callable, as a coroutine that is cancelled before it began is one that Python complains of.
    """
    worker: Worker[object] = node.run_worker(job, group=group, exclusive=exclusive, exit_on_error=False)
    return worker
