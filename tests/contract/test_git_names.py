"""What the git adapter takes for a repository, a branch, a path or a person, before any of it becomes an argument."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.adapters.git.names import branch_ref, file_path, full_ref, revision
from pvenix.adapters.git.objects import Identity
from pvenix.adapters.git.repo import GitRepo
from pvenix.adapters.git.runner import transport_of
from pvenix.model.errors import UsageError
from tests.contract.repo_worlds import AUTHOR


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c id", "-oProxyCommand=id", "--upload-pack=id", "ssh://-oProxyCommand=id/x", "git://host/x", "http://h/x",
     "https://h/x", "fd::7", "relative/path", "host::x", ""],
)  # fmt: skip
def test_what_is_no_repository_of_ours_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        GitRepo(url=url, branch="main", cache_dir=tmp_path, author=AUTHOR)


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("ssh://git@h:22/srv/x.git", "ssh"),
        ("git@h:srv/x.git", "ssh"),
        ("/srv/x.git", "file"),
        ("file:///srv/x", "file"),
    ],
)
def test_a_url_allows_one_protocol(url: str, protocol: str) -> None:
    assert transport_of(url) == protocol


@pytest.mark.parametrize(
    "name",
    ["-f", "--upload-pack=id", "a..b", "a.lock", "a/../b", "@{-1}", "a b", "a~1", "a^", "a:b", "", "/a", "a/", "a//b",
     "a\n", "HEAD^{/x}", "é", ".a", "a.", "$(id)"],
)  # fmt: skip
def test_a_name_that_git_could_take_for_something_else_is_refused(name: str) -> None:
    for check in (branch_ref, full_ref, revision):
        with pytest.raises(UsageError):
            check(name)


def test_names_become_whole_references() -> None:
    assert revision("1" * 40) == "1" * 40
    assert revision("registration/dns01") == "refs/heads/registration/dns01"
    assert full_ref("refs/notes/reviews") == "refs/notes/reviews"


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/hooks/x", "a\0b", "a/"]
)
def test_a_path_outside_the_repository_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        file_path(path)


@pytest.mark.parametrize("author", ["", "Ada", "Ada <a@b>\n", "<a@b>", "Ada <a b>", "A\nB <a@b>"])
def test_an_author_has_a_name_and_an_address(author: str) -> None:
    if author.endswith("\n"):
        assert Identity.parse(author).name == "Ada"
        return
    with pytest.raises(UsageError):
        Identity.parse(author)
