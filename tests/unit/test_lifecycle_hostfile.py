"""Text of the inventory becomes Nix without ever becoming code."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pvenix.fleet.starter import starter
from pvenix.lifecycle import nixsyntax
from pvenix.lifecycle.hostfile import host_file_text, nix_string
from pvenix.model.site import Role, Site
from tests.unit.lifecycle_support import host

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)
NIXY = st.text(st.sampled_from(list("$\\{}\"'\n\r\tna ;/#*")), max_size=30)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def value_of(literal: str) -> str:
    """What Nix makes of a plain string literal; fails when it is anything else (nix manual, string literals)."""
    root = nixsyntax.parse(literal)
    assert not root.has_error
    [expression] = root.named_children
    assert expression.type == "string_expression"
    parts = {node.type for node in nixsyntax.walk(expression) if node.is_named}
    assert parts <= {"string_expression", "string_fragment", "escape_sequence", "dollar_escape"}
    inner = nixsyntax.source(expression)[1:-1]
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), inner, flags=re.DOTALL)


@given(TEXT)
@example("${builtins.readFile /etc/shadow}")
@example('"; evil = 1; x = "')
@example("\\${x}")
@example("$${x}")
@example("$\\{x}")
@example("\\")
def test_any_text_survives_as_a_nix_string(text: str) -> None:
    assert value_of(nix_string(text)) == text


@given(NIXY)
def test_nor_do_the_characters_of_nix_itself_mean_anything(text: str) -> None:
    assert value_of(nix_string(text)) == text


SITE = Site(
    name="s",
    roles={
        "docker": Role(name="docker", modules=("role-docker", "role-common")),
        "vllm": Role(name="vllm", modules=("role-vllm", "role-common")),
    },
)


def test_a_host_s_file_has_its_hardware_its_roles_and_its_name() -> None:
    text = host_file_text(host("web1", roles=("docker", "vllm")), SITE)
    assert [line.strip() for line in text.splitlines() if line.strip().startswith("../")] == [
        "../configuration.nix",
        "../hardware/web1-hw.nix",
        "../modules/role-docker.nix",
        "../modules/role-common.nix",
        "../modules/role-vllm.nix",
    ]
    assert 'networking.hostName = "web1";' in text
    assert not nixsyntax.parse(text).has_error


def test_a_host_without_roles_is_a_host() -> None:
    assert not nixsyntax.parse(host_file_text(host("web1"), SITE)).has_error


@pytest.mark.parametrize("name", ["dns01", "docker01", "nix-cache01", "tappaas-cicd"])
def test_the_starter_s_files_are_valid_and_set_their_own_name(name: str) -> None:
    text = (starter() / f"nix/hosts/{name}.nix").read_text()
    assert not nixsyntax.parse(text).has_error
    assert f'networking.hostName = "{name}";' in text


def test_the_first_error_of_a_file_is_named_by_its_line() -> None:
    assert nixsyntax.first_error(nixsyntax.parse("{\n  a = 1;\n  b = ;\n}\n")) == 3
    assert nixsyntax.first_error(nixsyntax.parse("{ }")) == 0
