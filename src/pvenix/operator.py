"""Who is at work."""

from __future__ import annotations

import getpass
import os
import platform
import pwd
import re


def operator() -> str:
    """The person's name for approvals, commits and the run's record."""
    return os.environ.get("PVENIX_OPERATOR") or getpass.getuser()


def os_user() -> str:
    """The account that this process runs under; its number when it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def author() -> str:
    """The operator as Git names an author; an operator that is no `Name <address>` gets this machine's address."""
    name = operator()
    if name.endswith(">"):
        return name
    return f"{name} <{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}@{platform.node() or 'localhost'}>"
