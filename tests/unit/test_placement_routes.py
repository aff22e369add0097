"""The way from a template to a VM: the shortest one that Proxmox takes, and why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from pvenix.lifecycle.placement.routes import route_to
from pvenix.lifecycle.placement.values import Route, TemplateSeen, Way, Wish
from pvenix.model.names import NodeName
from tests.unit.placement_support import node, site, storage, template, wish

SHARED = [storage("ssd", name) for name in ("n1", "n2")]
LOCAL = [storage("ssd", name, shared=False) for name in ("n1", "n2")]
NFS = [storage("nfs", name) for name in ("n1", "n2")]


def way(one: Wish, storages: list[Any], *templates: TemplateSeen, to: str = "n2") -> Route | str:
    where = site([node("n1"), node("n2")], storages=storages, templates={"nixos": templates or (template(),)})
    return route_to(one, NodeName(to), where)


@pytest.mark.parametrize(
    ("asked", "storages", "expected", "at"),
    [
        ({}, SHARED, Way.LINKED, "ssd"),
        ({"storage": "ssd"}, SHARED, Way.LINKED, "ssd"),
        ({"default_storage": "nfs"}, SHARED, Way.LINKED, "ssd"),
        ({"full": True}, SHARED, Way.FULL, "ssd"),
        ({"storage": "nfs"}, SHARED + NFS, Way.FULL, "nfs"),
        ({"storage": "nvme"}, [*SHARED, *(storage("nvme", n, shared=False) for n in ("n1", "n2"))], Way.MIGRATE, "nvme"),
        ({}, LOCAL, Way.MIGRATE, "ssd"),
        ({"default_storage": "nfs"}, LOCAL + NFS, Way.MIGRATE, "nfs"),
        ({"storage": "ssd", "default_storage": "nfs"}, LOCAL + NFS, Way.MIGRATE, "ssd"),
    ],
)  # fmt: skip
def test_the_way_to_another_node_than_the_template_s(
    asked: dict[str, Any], storages: list[Any], expected: Way, at: str
) -> None:
    found = way(wish(**asked), storages)
    assert isinstance(found, Route)
    assert (found.way, found.storage, found.source) == (expected, at, "n1")


@pytest.mark.parametrize(
    ("asked", "expected", "at"),
    [
        ({}, Way.LINKED, "ssd"),
        ({"full": True}, Way.FULL, "ssd"),
        ({"full": True, "default_storage": "nfs"}, Way.FULL, "nfs"),
        ({"storage": "nfs"}, Way.FULL, "nfs"),
        ({"template": "", "default_storage": "nfs"}, Way.CREATE, "nfs"),
        ({"template": "", "default_storage": "nfs", "storage": "ssd"}, Way.CREATE, "ssd"),
    ],
)
def test_the_way_on_the_template_s_own_node(asked: dict[str, Any], expected: Way, at: str) -> None:
    found = way(wish(**asked), LOCAL + NFS, to="n1")
    assert isinstance(found, Route)
    assert (found.way, found.storage) == (expected, at)


def test_a_replica_on_the_node_saves_the_copy_over_the_network() -> None:
    found = way(wish(), LOCAL, template(), template(8101, "n2"))
    assert isinstance(found, Route)
    assert (found.way, found.template, found.source, found.local) == (Way.LINKED, 8101, "n2", True)


def test_two_replicas_on_one_node_are_named_and_neither_is_taken() -> None:
    assert way(wish(), LOCAL, template(), template(8101, "n2"), template(8102, "n2")) == (
        "templates 8101 and 8102 there are both nixos: name one in templates.nixos.replicas"
    )


@pytest.mark.parametrize(
    ("asked", "storages", "missing"),
    [
        ({}, LOCAL[:1], "n2"),
        ({"storage": "nvme"}, [*LOCAL, storage("nvme", "n2", shared=False)], "n1"),
    ],
)
def test_without_a_storage_on_both_nodes_there_is_no_way(
    asked: dict[str, Any], storages: list[Any], missing: str
) -> None:
    found = way(wish(**asked), storages)
    assert isinstance(found, str)
    assert found.startswith("template 8100 on n1 would have to be copied to ")
    assert found.endswith(f"which {missing} does not have")
