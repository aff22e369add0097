"""New VMs: their ids, the node and the storage they come to, and the way they are made."""

from __future__ import annotations

from typing import Final

from tools.removals.spec import MAKING, ROWS_TEST, WAIT, removal

_ROUTES_TEST: Final = "tests/story/test_routes.py"
_ISO_TEST: Final = "tests/story/test_routes_iso.py"
_CLONE: Final = "src/pvenix/lifecycle/clone.py"
_PLACEMENT: Final = "src/pvenix/lifecycle/placement"

REMOVALS: Final = (
    removal(
        "F01",
        "another id after one was taken",
        (MAKING, "    if error.code != TAKEN:\n        raise error\n", "    raise error\n"),
        f"{ROWS_TEST}::test_an_id_that_somebody_took_is_left_to_them_and_another_one_used",
    ),
    removal(
        "F02",
        "a VM on our id is ours only by its marker",
        (
            MAKING,
            "Found(node=where, vmid=new, config=config) if world.vms.owns(config, step.host) else False",
            "Found(node=where, vmid=new, config=config)",
        ),
        f"{ROWS_TEST}::test_a_stranger_on_the_id_of_a_lost_clone_is_not_adopted",
    ),
    removal(
        "F04",
        "a busy storage is tried again",
        (_CLONE, "if _BUSY.search(error.why) and", "if not error.why and"),
        f"{ROWS_TEST}::test_a_clone_of_a_busy_storage_is_tried_again_with_a_pause",
    ),
    removal(
        "F04",
        "clones to one storage wait for each other",
        (
            "src/pvenix/lifecycle/slots.py",
            "await stack.enter_async_context(semaphore)",
            "await stack.enter_async_context(asyncio.Semaphore())",
        ),
        f"{_ROUTES_TEST}::test_clones_to_one_storage_wait_for_a_slot_and_say_so",
    ),
    removal(
        "F07",
        "a clone has time",
        (MAKING, "TASK_TIMEOUT_S = 1500.0", "TASK_TIMEOUT_S = 60.0"),
        f"{ROWS_TEST}::test_a_long_clone_is_waited_for",
    ),
    removal(
        "F22",
        "a disk has at least the template's size",
        (f"{_PLACEMENT}/decide.py", "if template.root.size > wish.root:", "if template.root.size < 0:"),
        f"{_ROUTES_TEST}::test_a_disk_smaller_than_the_template_s_is_refused_with_the_template_s_size",
    ),
    removal(
        "F24",
        "a clone of a template on another node's own storage moves",
        (
            _CLONE,
            "set_up(world, step, await arrived(world, step, _journey(step), found))",
            "set_up(world, step, found)",
        ),
        f"{_ROUTES_TEST}::test_a_clone_of_a_template_on_another_node_s_own_storage_is_migrated",
    ),
    removal(
        "F24",
        "two templates that may be meant are none",
        (f"{_PLACEMENT}/routes.py", "    if len(here) > 1:\n", "    if not here and len(here) > 1:\n"),
        f"{_ROUTES_TEST}::test_of_two_templates_that_may_be_meant_none_is_cloned",
    ),
    removal(
        "F33",
        "an id with volumes and no VM is skipped",
        (f"{_PLACEMENT}/vmids.py", "if vmid not in orphans:", "if True:"),
        f"{_ROUTES_TEST}::test_an_id_that_a_volume_without_a_vm_has_is_skipped_and_told",
    ),
    removal(
        "F38",
        "the node checks what it fetches",
        (
            "src/pvenix/lifecycle/create.py",
            "            await carried_out(world, step, fetching, Use(node=node), timeout_s=TASK_TIMEOUT_S)\n",
            "            await fetching.send(step)\n",
        ),
        f"{_ISO_TEST}::test_an_image_that_does_not_come_whole_makes_no_vm",
    ),
    removal(
        "F40",
        "memory is reserved within a run",
        (
            f"{_PLACEMENT}/look.py",
            "if name not in skip and decision.vmid not in listed:",
            "if name not in skip and decision.vmid in listed:",
        ),
        f"{_ROUTES_TEST}::test_hosts_of_one_run_are_spread_before_the_cluster_shows_any_of_them",
    ),
    removal(
        "F40",
        "the host with the fewest nodes to choose from comes first",
        (f"{_PLACEMENT}/decide.py", "key=lambda one: freedom(wishes[one.name], view.site)", "key=lambda one: one.name"),
        f"{_ROUTES_TEST}::test_a_host_that_needs_the_device_of_one_node_finds_room_there_before_all_others",
    ),
    removal(
        "F40",
        "a VM without figures counts",
        (
            f"{_PLACEMENT}/look.py",
            "memory = vm.memory_max or (host.machine.memory_mib * MIB if host else 0)",
            "memory = vm.memory_max",
        ),
        f"{_ROUTES_TEST}::test_a_vm_whose_figures_are_not_shown_yet_counts_as_the_inventory_says",
    ),
    removal(
        "F41",
        "a task that logs nothing new is given up",
        (WAIT, "stall_s=stall_s)", "stall_s=None)"),
        f"{ROWS_TEST}::test_a_clone_without_an_end_is_given_up_and_not_made_twice",
    ),
    removal(
        "F41 F32",
        "a clone under way is waited for",
        (
            MAKING,
            "    if first is None:\n        return None\n",
            "    if first or not first:\n        return None\n",
        ),
        f"{ROWS_TEST}::test_a_clone_without_an_end_is_given_up_and_not_made_twice",
    ),
)
