"""Templates: whether clones of them will be what they should, and how a new one is made, proven and proposed."""

from pvenix.lifecycle.template.health import template_findings, template_healths

__all__ = ["template_findings", "template_healths"]
