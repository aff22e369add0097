"""The handling of each failure as a text that can be taken away, with the test that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROWS_TEST: Final = "tests/story/test_fault_rows.py"
CONFIGURE_TEST: Final = "tests/story/test_configure.py"
DOCTOR_TEST: Final = "tests/story/test_doctor_rights.py"
SITE_TEST: Final = "tests/story/test_fault_site.py"
ROUTES_TEST: Final = "tests/story/test_routes.py"
ISO_TEST: Final = "tests/story/test_routes_iso.py"
TEMPLATE_TEST: Final = "tests/story/test_fault_template.py"
RETIRE_TEST: Final = "tests/story/test_fault_retire.py"
BOOT_TEST: Final = "tests/story/test_first_boot.py"
TRAPS_TEST: Final = "tests/story/test_fault_traps.py"
LAB_TEST: Final = "tests/story/test_faults_lab.py"
POWER_TEST: Final = "tests/story/test_daytwo_power.py"
SNAPSHOTS_TEST: Final = "tests/story/test_daytwo_snapshots.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One handling: the exact text of it in a file, and what stands there when it is gone."""

    rows: tuple[str, ...]
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def slug(self) -> str:
        """A name for a directory."""
        return "".join(letter if letter.isalnum() else "-" for letter in f"{self.rows[0]} {self.what}")

    def apply(self, tree: Path) -> None:
        """Take the handling out of a copy of the sources.

        Raises: ValueError when the text is not there exactly once.
        """
        path = tree / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.rows[0]} ({self.what}): {self.file} holds its text {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new))


def _removal(rows: str, what: str, change: tuple[str, str, str], *tests: str) -> Removal:
    file, old, new = change
    return Removal(rows=tuple(rows.split()), what=what, file=file, old=old, new=new, tests=tests)


_CLONE = "src/pvenix/lifecycle/clone.py"
_MAKING = "src/pvenix/lifecycle/making.py"
_PLACEMENT = "src/pvenix/lifecycle/placement"
_OWN = "src/pvenix/lifecycle/ownership.py"
_WAIT = "src/pvenix/lifecycle/waiting.py"
_TASKS = "src/pvenix/adapters/pve/tasks.py"
_PROBLEMS = "src/pvenix/adapters/pve/problems.py"
_ANSWERS = "src/pvenix/adapters/pve/answers.py"
_TEXT = "src/pvenix/adapters/text.py"

REMOVALS: Final = (
    _removal(
        "F01",
        "another id after one was taken",
        (_MAKING, "    if error.code != TAKEN:\n        raise error\n", "    raise error\n"),
        f"{ROWS_TEST}::test_an_id_that_somebody_took_is_left_to_them_and_another_one_used",
    ),
    _removal(
        "F02",
        "a VM on our id is ours only by its marker",
        (
            _MAKING,
            "Found(node=where, vmid=new, config=config) if world.vms.owns(config, step.host) else False",
            "Found(node=where, vmid=new, config=config)",
        ),
        f"{ROWS_TEST}::test_a_stranger_on_the_id_of_a_lost_clone_is_not_adopted",
    ),
    _removal(
        "F03",
        "identity by smbios uuid",
        (_OWN, "return pin is None or not pin.uuid or not config.uuid or pin.uuid == config.uuid", "return True"),
        f"{ROWS_TEST}::test_a_machine_that_has_a_host_s_id_and_name_is_not_that_host",
    ),
    _removal(
        "F04",
        "a busy storage is tried again",
        (_CLONE, "if _BUSY.search(error.why) and", "if not error.why and"),
        f"{ROWS_TEST}::test_a_clone_of_a_busy_storage_is_tried_again_with_a_pause",
    ),
    _removal(
        "F04",
        "clones to one storage wait for each other",
        (
            "src/pvenix/lifecycle/slots.py",
            "await stack.enter_async_context(semaphore)",
            "await stack.enter_async_context(asyncio.Semaphore())",
        ),
        f"{ROUTES_TEST}::test_clones_to_one_storage_wait_for_a_slot_and_say_so",
    ),
    _removal(
        "F05",
        "a lock is waited for",
        (_WAIT, "        if not lock:\n            return config\n", "        return config\n"),
        f"{ROWS_TEST}::test_a_lock_is_waited_for_and_named_with_its_task",
    ),
    _removal(
        "F05",
        "a lock that stays is told with its kind",
        (_WAIT, 'f"VM {found.vmid} stays locked ({lock})"', 'f"VM {found.vmid} cannot be written"'),
        f"{ROWS_TEST}::test_a_lock_that_stays_is_never_taken_away",
    ),
    _removal(
        "F06",
        "the end of the destroying task",
        (
            "src/pvenix/lifecycle/destroy.py",
            "        await _ended(world, step, found, calls.destroy)\n    except",
            "        await calls.destroy.send(step)\n    except",
        ),
        f"{ROWS_TEST}::test_a_host_is_retired_when_its_vm_is_gone_and_not_before",
    ),
    _removal(
        "F07",
        "a clone has time",
        (_MAKING, "TASK_TIMEOUT_S = 1500.0", "TASK_TIMEOUT_S = 60.0"),
        f"{ROWS_TEST}::test_a_long_clone_is_waited_for",
    ),
    _removal(
        "F08",
        "warnings are a success",
        (_TASKS, 're.compile(r"OK|WARNINGS: \\d+")', 're.compile(r"OK")'),
        f"{ROWS_TEST}::test_warnings_are_a_success_and_are_shown",
    ),
    _removal(
        "F09 R3",
        "a failed poll is tried again",
        (
            _TASKS,
            "            self._last_problem = sanitise(str(error))\n            return None\n",
            "            raise\n",
        ),
        f"{ROWS_TEST}::test_a_poll_that_fails_loses_no_task",
    ),
    _removal(
        "F10",
        "the node of a task is that of its UPID",
        (_TASKS, '("nodes", upid_node(upid), "tasks", upid)', '("nodes", "tappaas1", "tasks", upid)'),
        f"{ROWS_TEST}::test_a_task_is_asked_for_on_the_node_of_its_upid",
    ),
    _removal(
        "F11",
        "a silent node hides no host of another",
        (_OWN, "                silent[vm.node] = error\n                continue\n", "                raise\n"),
        "tests/unit/test_lifecycle_world.py::test_a_node_that_is_down_hides_no_host_of_another",
    ),
    _removal(
        "F12",
        "a read that was lost says why",
        (
            _PROBLEMS,
            'return Unreachable(f"{call.text} got no answer", why=f"{error.status} {why}", hint=hint)',
            'return Unreachable(f"{call.text} got no answer")',
        ),
        f"{SITE_TEST}::test_a_node_that_is_not_trusted_by_the_others_is_named_and_nothing_is_written",
    ),
    _removal(
        "F13 R11",
        "certificates are verified",
        (
            "src/pvenix/adapters/pve/proxmox.py",
            "verify=False if fingerprint else str(ca) if ca else True",
            "verify=False",
        ),
        f"{LAB_TEST}::test_a_certificate_that_proves_nothing_is_sent_no_token",
    ),
    _removal(
        "F14",
        "a refused token is told as such",
        (_PROBLEMS, "if error.status == 401:", "if error.status == 0:"),
        f"{SITE_TEST}::test_a_token_that_is_refused_ends_the_run_before_anything_is_written",
    ),
    _removal(
        "F14",
        "a login that dies in the middle of a run is asked for",
        (
            "src/pvenix/adapters/pve/login.py",
            "            if self._ask is None or not self._worked:\n",
            "            if self._ask is not None or not self._worked:\n",
        ),
        "tests/story/test_login.py::test_a_token_that_dies_in_mid_run_is_asked_for_and_the_run_goes_on",
    ),
    _removal(
        "F15",
        "keys are percent-encoded",
        (_ANSWERS, 'return quote(value, safe="")', "return value"),
        f"{SITE_TEST}::test_keys_arrive_as_they_were_written",
    ),
    _removal(
        "F16",
        "the wait for the agent has an end of its own",
        (
            "src/pvenix/lifecycle/bootphases.py",
            'await until(answers, clock=world.clock, timeout_s=timeout_s, what="the guest agent")',
            'await until(answers, clock=world.clock, timeout_s=1e9, what="the guest agent")',
        ),
        f"{SITE_TEST}::test_an_agent_that_never_comes_up_is_waited_for_so_long_and_told_with_the_vm_s_state",
    ),
    _removal(
        "F17",
        "addresses by the MAC of the own card",
        (
            "src/pvenix/lifecycle/addresses.py",
            "        if interface.mac in cards\n",
            "        if cards.setdefault(interface.mac, 0) == 0\n",
        ),
        f"{SITE_TEST}::test_a_bridge_inside_the_guest_is_not_its_network_card",
    ),
    _removal(
        "F17",
        "link-local addresses do not count",
        ("src/pvenix/lifecycle/addresses.py", "ip.is_loopback or ip.is_link_local or", "ip.is_loopback or"),
        f"{BOOT_TEST}::test_a_guest_without_a_usable_address_is_told_with_what_its_agent_reports",
    ),
    _removal(
        "F17",
        "the agent is asked when the fixed address does not answer",
        (
            "src/pvenix/lifecycle/ways.py",
            "            return [*in_turn, self._by_agent(name, known, failed)]\n",
            "            return in_turn\n",
        ),
        f"{BOOT_TEST}::test_a_fixed_address_that_leads_nowhere_gives_way_to_the_one_that_the_agent_knows",
    ),
    _removal(
        "F18",
        "the boot is the same at the end as at the beginning",
        (
            "src/pvenix/lifecycle/boot.py",
            "if (await reader.read(argv.BOOT_ID)).strip() != boot_id:",
            "if not boot_id:",
        ),
        f"{BOOT_TEST}::test_a_reboot_is_noticed_through_the_agent_too",
    ),
    _removal(
        "F19",
        "a running guest's drive is written anew",
        (
            "src/pvenix/lifecycle/configure.py",
            "if job.running and not job.off and _told_cloud_init(step):",
            "if job.running and job.off and _told_cloud_init(step):",
        ),
        f"{CONFIGURE_TEST}::test_cloud_init_is_written_to_the_drive_and_reaches_the_guest_with_its_next_boot",
    ),
    _removal(
        "F22",
        "no disk shrinks",
        (
            "src/pvenix/lifecycle/fields/effects.py",
            'if doing.part == "size" and doing.old and mib_of(doing.new) < mib_of(doing.old):',
            'if doing.part == "size" and doing.old and mib_of(doing.new) == mib_of(doing.old):',
        ),
        f"{CONFIGURE_TEST}::test_no_disk_shrinks_and_nothing_else_is_written",
    ),
    _removal(
        "F22",
        "a disk has at least the template's size",
        (f"{_PLACEMENT}/decide.py", "if template.root.size > wish.root:", "if template.root.size < 0:"),
        f"{ROUTES_TEST}::test_a_disk_smaller_than_the_template_s_is_refused_with_the_template_s_size",
    ),
    _removal(
        "F24",
        "a clone of a template on another node's own storage moves",
        (
            _CLONE,
            "set_up(world, step, await arrived(world, step, _journey(step), found))",
            "set_up(world, step, found)",
        ),
        f"{ROUTES_TEST}::test_a_clone_of_a_template_on_another_node_s_own_storage_is_migrated",
    ),
    _removal(
        "F24",
        "two templates that may be meant are none",
        (f"{_PLACEMENT}/routes.py", "    if len(here) > 1:\n", "    if not here and len(here) > 1:\n"),
        f"{ROUTES_TEST}::test_of_two_templates_that_may_be_meant_none_is_cloned",
    ),
    _removal(
        "F33",
        "an id with volumes and no VM is skipped",
        (f"{_PLACEMENT}/vmids.py", "if vmid not in orphans:", "if True:"),
        f"{ROUTES_TEST}::test_an_id_that_a_volume_without_a_vm_has_is_skipped_and_told",
    ),
    _removal(
        "F38",
        "the node checks what it fetches",
        (
            "src/pvenix/lifecycle/create.py",
            "            await carried_out(world, step, fetching, Use(node=node), timeout_s=TASK_TIMEOUT_S)\n",
            "            await fetching.send(step)\n",
        ),
        f"{ISO_TEST}::test_an_image_that_does_not_come_whole_makes_no_vm",
    ),
    _removal(
        "F39",
        "what waits is read back",
        (
            "src/pvenix/lifecycle/fields/compare.py",
            "return FieldState.EQUAL if self._same(one, now) and not unread else FieldState.PENDING",
            "return FieldState.EQUAL",
        ),
        f"{CONFIGURE_TEST}::test_memory_and_cores_wait_for_a_reboot_and_are_not_written_again",
    ),
    _removal(
        "F21",
        "only what we author is written",
        (
            "src/pvenix/lifecycle/fields/work.py",
            "return values | self._description(view), deleted",
            "return {**view.present, **values} | self._description(view), deleted",
        ),
        f"{SITE_TEST}::test_what_somebody_else_set_stays_as_it_is",
    ),
    _removal(
        "F23",
        "the size of a disk is read back",
        (
            "src/pvenix/lifecycle/settling.py",
            '    refuse_lost(_open(_view(world, step, config)), f"/nodes/{found.node}/qemu/{found.vmid}")',
            "    _open(_view(world, step, config))",
        ),
        f"{ROWS_TEST}::test_a_resize_that_ended_well_and_did_nothing_is_not_believed",
    ),
    _removal(
        "F25",
        "a listed VM is not gone",
        (_OWN, "            await self._clock.sleep(_MOVING_PAUSE_S)\n", "            return None\n"),
        f"{ROWS_TEST}::test_a_vm_that_stays_listed_without_a_configuration_is_not_taken_for_gone",
    ),
    _removal(
        "F26",
        "the node is looked up, not remembered",
        (
            _OWN,
            "config = await self._config(vm.node, vm.vmid)",
            'config = await self._config(NodeName("tappaas1"), vm.vmid)',
        ),
        f"{ROWS_TEST}::test_a_vm_that_was_moved_is_found_and_not_made_again",
    ),
    _removal(
        "F27",
        "the HA manager lets go first",
        (
            "src/pvenix/lifecycle/destroy.py",
            "leave_ha=leave if power.ha else None,",
            "leave_ha=leave if power.ha == '-' else None,",
        ),
        f"{RETIRE_TEST}::test_the_ha_manager_lets_go_of_a_vm_before_it_is_stopped_and_destroyed",
    ),
    _removal(
        "F34",
        "jobs that name the VM are told",
        ("src/pvenix/lifecycle/removal.py", "if found.vmid in job.vmids:", "if found.vmid == job.vmids:"),
        f"{RETIRE_TEST}::test_a_job_that_names_the_vm_is_told_before_and_shortened_only_by_the_destruction",
    ),
    _removal(
        "F20",
        "a template without a cloud-init drive is broken",
        ("src/pvenix/lifecycle/template/lint.py", "    if not drive:\n", "    if drive is None:\n"),
        f"{TEMPLATE_TEST}::test_a_template_whose_clones_would_get_no_user_is_broken",
    ),
    _removal(
        "F31",
        "a clone has the machine id of no other",
        (
            "src/pvenix/lifecycle/template/canary.py",
            'if any(own in each.split("\\n") for each in earlier):',
            "if own in earlier:",
        ),
        f"{TEMPLATE_TEST}::test_a_template_that_keeps_an_identity_is_never_proposed",
    ),
    _removal(
        "F31",
        "guests with one host key are found",
        (
            "src/pvenix/lifecycle/template/health.py",
            "            if len(names) > 1:\n",
            "            if len(names) > 9:\n",
        ),
        f"{TEMPLATE_TEST}::test_guests_that_share_what_is_a_machine_s_own_are_found",
    ),
    _removal(
        "F28",
        "an empty list may be a missing right",
        (
            _MAKING,
            "return await world.vms.certain(step.host, step.facts)",
            "return await world.vms.find(step.host, step.facts)",
        ),
        f"{SITE_TEST}::test_an_empty_list_is_not_taken_for_an_empty_cluster",
    ),
    _removal(
        "F28",
        "the privilege that is missing is named before anything is begun",
        ("src/pvenix/model/privileges.py", "if not _met(need, granted))", "if not granted)"),
        f"{DOCTOR_TEST}::test_each_privilege_that_is_taken_away_is_named_and_the_lines_bring_it_back",
    ),
    _removal(
        "F28 R3",
        "a missing privilege is named",
        (_PROBLEMS, "if error.status == 403:", "if error.status == 0:"),
        f"{SITE_TEST}::test_a_missing_privilege_is_named_with_the_line_that_gives_it",
    ),
    _removal(
        "F27",
        "the HA manager's answer is not its effect",
        (
            "src/pvenix/lifecycle/power.py",
            "if not await _comes(world, found, wanted, _HA_TIMEOUT_S if ha else _SPARE_S):",
            "if not await _comes(world, found, wanted, 0) and not ha:",
        ),
        f"{POWER_TEST}::test_a_vm_that_the_ha_manager_keeps_is_off_when_it_is_off_and_not_when_the_request_ends",
    ),
    _removal(
        "F35",
        "a guest is thawed when its snapshot hangs",
        (
            "src/pvenix/lifecycle/freezing.py",
            "            await _thaw(world, step, found)\n",
            "",
        ),
        f"{SNAPSHOTS_TEST}::test_a_snapshot_that_hangs_has_its_guest_thawed_and_is_not_said_to_be_taken",
    ),
    _removal(
        "F36",
        "newer snapshots are seen before the way back",
        ("src/pvenix/lifecycle/restore.py", "if way.passed and strict:", "if way.passed and not strict:"),
        f"{SNAPSHOTS_TEST}::test_newer_snapshots_are_named_and_none_is_deleted_on_the_way_back",
    ),
    _removal(
        "F37",
        "writes carry the digest",
        (
            "src/pvenix/lifecycle/calls.py",
            "self._pve.set_config(self._node, self._vmid, values, delete=delete, digest=digest)",
            "self._pve.set_config(self._node, self._vmid, values, delete=delete)",
        ),
        f"{SITE_TEST}::test_a_change_between_reading_and_writing_is_noticed",
    ),
    _removal(
        "F40",
        "memory is reserved within a run",
        (
            f"{_PLACEMENT}/look.py",
            "if name not in skip and decision.vmid not in listed:",
            "if name not in skip and decision.vmid in listed:",
        ),
        f"{ROUTES_TEST}::test_hosts_of_one_run_are_spread_before_the_cluster_shows_any_of_them",
    ),
    _removal(
        "F40",
        "the host with the fewest nodes to choose from comes first",
        (f"{_PLACEMENT}/decide.py", "key=lambda one: freedom(wishes[one.name], view.site)", "key=lambda one: one.name"),
        f"{ROUTES_TEST}::test_a_host_that_needs_the_device_of_one_node_finds_room_there_before_all_others",
    ),
    _removal(
        "F40",
        "a VM without figures counts",
        (
            f"{_PLACEMENT}/look.py",
            "memory = vm.memory_max or (host.machine.memory_mib * MIB if host else 0)",
            "memory = vm.memory_max",
        ),
        f"{ROUTES_TEST}::test_a_vm_whose_figures_are_not_shown_yet_counts_as_the_inventory_says",
    ),
    _removal(
        "F41",
        "a task that logs nothing new is given up",
        (_WAIT, "stall_s=stall_s)", "stall_s=None)"),
        f"{ROWS_TEST}::test_a_clone_without_an_end_is_given_up_and_not_made_twice",
    ),
    _removal(
        "F43",
        "the quorum is read before anything is intended",
        ("src/pvenix/lifecycle/table.py", "        if self.needs_quorum:\n", "        if False:\n"),
        f"{SITE_TEST}::test_without_a_quorum_nothing_is_intended_and_reading_goes_on",
    ),
    _removal(
        "F41 F32",
        "a clone under way is waited for",
        (
            _MAKING,
            "    if first is None:\n        return None\n",
            "    if first or not first:\n        return None\n",
        ),
        f"{ROWS_TEST}::test_a_clone_without_an_end_is_given_up_and_not_made_twice",
    ),
    _removal(
        "F31",
        "a host key is one host's",
        ("src/pvenix/lifecycle/identity.py", "    if other := twin(world, name):\n", "    if other := '':\n"),
        f"{BOOT_TEST}::test_two_hosts_with_one_host_key_are_refused_by_both_names",
    ),
    _removal(
        "F42",
        "guests are reached by address",
        (
            "src/pvenix/lifecycle/world.py",
            "            address=address,\n",
            "            address=name,\n",
        ),
        f"{SITE_TEST}::test_a_guest_with_a_wrong_name_is_reached_by_its_address",
    ),
    _removal(
        "T1 R2",
        "no exit status is no success",
        (
            "src/pvenix/adapters/ssh/channels.py",
            "if self._status is None or (connection_lost and not self._complete):",
            "if False:",
        ),
        "tests/contract/test_guest_lost.py",
    ),
    _removal(
        "T2 T14 R2",
        "an activation is attached to again",
        (
            "src/pvenix/lifecycle/activation/follow.py",
            "            if world.clock.monotonic() > deadline:\n",
            "            if world.clock.monotonic() > 0:\n",
        ),
        f"{TRAPS_TEST}::test_an_activation_goes_on_without_its_connection_and_is_judged_by_its_unit",
    ),
    _removal(
        "T3 R8",
        "what a guest prints is cleaned",
        (
            _TEXT,
            "        return self._clean(self._decoder.decode(data))\n",
            "        return self._decoder.decode(data)\n",
        ),
        f"{TRAPS_TEST}::test_what_a_guest_prints_moves_no_cursor",
    ),
    _removal(
        "T6",
        "only plain words become a path",
        (
            "src/pvenix/adapters/pve/transport.py",
            "        if not (_PART.fullmatch(str(part)) or _UPID.fullmatch(str(part))):\n",
            "        if not str(part):\n",
        ),
        "tests/unit/test_adapter_pve.py",
    ),
    _removal(
        "T7 R3",
        "a page after a write leaves its outcome open",
        (_PROBLEMS, "case AnswerLost() | BadAnswer() if call.writes:", "case AnswerLost() if call.writes:"),
        f"{TRAPS_TEST}::test_an_answer_that_is_none_makes_no_second_vm",
    ),
    _removal(
        "T10 R10",
        "host keys are pinned",
        ("src/pvenix/adapters/ssh/login.py", "known_hosts=([host_key], [], [])", "known_hosts=None"),
        f"{LAB_TEST}::test_a_jump_host_with_another_key_gets_no_login",
    ),
    _removal(
        "R6",
        "a command that failed ends its step",
        ("src/pvenix/lifecycle/remote.py", "    if received(result).ok:\n", "    if received(result) is not None:\n"),
        f"{TRAPS_TEST}::test_a_full_disk_stops_a_rebuild_before_anything_is_switched_and_the_next_one_goes_on",
    ),
    _removal(
        "R5",
        "a merge that came second is made again",
        (
            "src/pvenix/adapters/git/repo.py",
            '            await self._lost_race(attempt)\n        raise RemoteFailure(f"{into} moved',
            '            break\n        raise RemoteFailure(f"{into} moved',
        ),
        f"{LAB_TEST}::test_somebody_else_s_push_is_kept_and_ours_comes_after_it",
    ),
    _removal(
        "R4",
        "a host key is one before it is pinned",
        ("src/pvenix/engine/trust.py", "    if not _KEY.fullmatch(key):\n", "    if not key:\n"),
        f"{SITE_TEST}::test_an_agent_that_talks_nonsense_hangs_nobody",
    ),
)
"""Every removal, in the order of the rows."""

NOT_ONE_TEXT: Final = {
    "F29": "no field of the schema carries a root-only option",
    "F30": "nothing asks for a snippet",
    "T4": "names pass a grammar, a path's grammar and the sanitiser: one alone may go",
    "T5": "as T4",
    "T8": "the adapter's time-outs, see tests/contract/test_proxmoxer_transport.py",
    "T9": "an argument of one call, see tests/contract/test_ssh_guest.py",
    "T11": "a set of settings, see tests/contract/test_git_repo.py",
    "T12": "limits of one parser, see tests/unit/test_fleet_yaml.py",
    "T17": "time-outs of connection, login and step: one alone may go",
    "R9": "as T4",
}
"""Rows that are handled by more than one text, or by the absence of one."""
