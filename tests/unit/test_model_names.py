"""Only names of a known shape may enter a path, a command line or a reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.model.errors import UsageError
from pvenix.model.names import commit_id, host_name, node_name, registration_branch, review_name, store_path, vmid

HASH = "0c1vxkfw9nq8j2lvd6z7a3bsmrgy5h4i"
HOSTILE = [
    *("", " ", ".", "..", "-", "-a", "a-", "a_b", "a.b", "a b", "a/b", "../a", "/etc/passwd", "a\n", "a\x00", "\na"),
    *("-oProxyCommand=id", "$(id)", "`id`", "a;id", "a|b", "a&b", "${x}", "{{x}}", "[@click]", "%2f", "a%20b", "a\\b"),
    *(
        "a.lock",
        "a@{1}",
        "refs/heads/a",
        "a:b",
        "~a",
        "a^",
        "*",
        "a?",
        "é1",
        "a\u202e",
        "\u0430" + "1",
        "a\u200b",
        "z" * 64,
        "\x1b[1m",
    ),
]


@pytest.mark.parametrize("text", ["a", "dns01", "Nix-Cache01", "a" * 63, "tappaas-cicd"])
def test_labels_are_host_names(text: str) -> None:
    assert host_name(text) == text
    assert registration_branch(text) == f"registration/{text}"


@pytest.mark.parametrize("text", [*HOSTILE, "1a", "0"])
def test_what_could_mean_something_else_is_no_host_name(text: str) -> None:
    with pytest.raises(UsageError):
        host_name(text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("parse", [node_name, store_path, commit_id, vmid])
def test_nor_any_other_name(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_node_may_begin_with_a_digit() -> None:
    assert node_name("1pve") == "1pve"


@pytest.mark.parametrize("value", [100, "100", 8100, 999999999])
def test_vm_ids_reach_from_100_to_999999999(value: int | str) -> None:
    assert vmid(value) == int(value)


@pytest.mark.parametrize("value", [0, 99, -100, 1000000000, "0100", "1e3", "100 ", "\u0661\u0660\u0660", True])
def test_other_numbers_are_no_vm_ids(value: int | str) -> None:
    with pytest.raises(UsageError):
        vmid(value)


@pytest.mark.parametrize(
    "text", [f"/nix/store/{HASH.replace('e', 'f')}-nixos-system-dns01-25.05", "/nix/store/" + "0" * 32 + "-a+b?c=d_e.f"]
)
def test_store_paths_are_known_by_their_shape(text: str) -> None:
    assert store_path(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "/nix/store",
        "/nix/store/" + "e" * 32 + "-x",
        "/nix/store/" + "0" * 31 + "-x",
        "/nix/store/" + "0" * 32 + "-x/../../etc",
        "/nix/store/" + "0" * 32 + "-x y",
        "/tmp/nix/store/" + "0" * 32 + "-x",
        "/nix/store/" + "0" * 32 + "-x\n",
    ],
)
def test_what_only_looks_like_a_store_path_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        store_path(text)


@pytest.mark.parametrize("text", ["a" * 40, "0123456789abcdef" * 4])
def test_commit_ids_are_whole(text: str) -> None:
    assert commit_id(text) == text


@pytest.mark.parametrize("text", ["a" * 39, "a" * 41, "A" * 40, "HEAD", "main", "g" * 40])
def test_an_abbreviation_or_a_name_is_no_commit_id(text: str) -> None:
    with pytest.raises(UsageError):
        commit_id(text)


@given(st.text(max_size=70))
def test_whatever_passes_as_a_host_name_is_safe_everywhere(text: str) -> None:
    try:
        name = host_name(text)
    except UsageError:
        return
    assert name.isascii()
    assert name.replace("-", "").isalnum()
    assert not name.startswith("-")


@pytest.mark.parametrize(
    "name", ["dns01", "topic/x", "topic/caf\u00e9", "topic/\u202eodd", "registration/a/b", "refs/heads/x"]
)
def test_a_review_is_called_by_any_name_that_git_gives_a_branch(name: str) -> None:
    assert review_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["../main", "a/../b", "a/.b", "a//b", "/a", "a/", "a/b.lock", "-a/b", "a/b c", "a/\x1b[2J", "a/b\n", "a/@{u}", "a/b.",
     "a:b/c", "a/b*", "-x", "caf\u00e9", ""],
)  # fmt: skip
def test_what_can_be_no_branch_is_no_name_of_a_review(name: str) -> None:
    with pytest.raises(UsageError):
        review_name(name)
