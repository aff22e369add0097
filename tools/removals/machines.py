"""VMs that exist: whose they are, their configuration, disks, snapshots, power and end."""

from __future__ import annotations

from typing import Final

from tools.removals.spec import OWN, ROWS_TEST, SITE_TEST, WAIT, removal

_DISKS_TEST: Final = "tests/story/test_configure_disks.py"
_REBOOT_TEST: Final = "tests/story/test_configure_reboot.py"
_RETIRE_TEST: Final = "tests/story/test_fault_retire.py"
_POWER_TEST: Final = "tests/story/test_daytwo_power.py"
_SNAPSHOTS_TEST: Final = "tests/story/test_daytwo_snapshots.py"

REMOVALS: Final = (
    removal(
        "F03",
        "identity by smbios uuid",
        (OWN, "return pin is None or not pin.uuid or not config.uuid or pin.uuid == config.uuid", "return True"),
        f"{ROWS_TEST}::test_a_machine_that_has_a_host_s_id_and_name_is_not_that_host",
    ),
    removal(
        "F05",
        "a lock is waited for",
        (WAIT, "        if not lock:\n            return config\n", "        return config\n"),
        f"{ROWS_TEST}::test_a_lock_is_waited_for_and_named_with_its_task",
    ),
    removal(
        "F05",
        "a lock that stays is told with its kind",
        (WAIT, 'f"VM {found.vmid} stays locked ({lock})"', 'f"VM {found.vmid} cannot be written"'),
        f"{ROWS_TEST}::test_a_lock_that_stays_is_never_taken_away",
    ),
    removal(
        "F06",
        "the end of the destroying task",
        (
            "src/pvenix/lifecycle/destroy.py",
            "        await _ended(world, step, found, calls.destroy)\n    except",
            "        await calls.destroy.send(step)\n    except",
        ),
        f"{ROWS_TEST}::test_a_host_is_retired_when_its_vm_is_gone_and_not_before",
    ),
    removal(
        "F21",
        "only what we author is written",
        (
            "src/pvenix/lifecycle/fields/work.py",
            "return values | self._description(view), deleted",
            "return {**view.present, **values} | self._description(view), deleted",
        ),
        f"{SITE_TEST}::test_what_somebody_else_set_stays_as_it_is",
    ),
    removal(
        "F19",
        "a running guest's drive is written anew",
        (
            "src/pvenix/lifecycle/configure.py",
            "if job.running and not job.off and _told_cloud_init(step):",
            "if job.running and job.off and _told_cloud_init(step):",
        ),
        f"{_REBOOT_TEST}::test_cloud_init_is_written_to_the_drive_and_reaches_the_guest_with_its_next_boot",
    ),
    removal(
        "F22",
        "no disk shrinks",
        (
            "src/pvenix/lifecycle/fields/effects.py",
            'if doing.part == "size" and doing.old and mib_of(doing.new) < mib_of(doing.old):',
            'if doing.part == "size" and doing.old and mib_of(doing.new) == mib_of(doing.old):',
        ),
        f"{_DISKS_TEST}::test_no_disk_shrinks_and_nothing_else_is_written",
    ),
    removal(
        "F23",
        "the size of a disk is read back",
        (
            "src/pvenix/lifecycle/settling.py",
            '    refuse_lost(_open(_view(world, step, config)), f"/nodes/{found.node}/qemu/{found.vmid}")',
            "    _open(_view(world, step, config))",
        ),
        f"{ROWS_TEST}::test_a_resize_that_ended_well_and_did_nothing_is_not_believed",
    ),
    removal(
        "F25",
        "a listed VM is not gone",
        (OWN, "            await self._clock.sleep(_MOVING_PAUSE_S)\n", "            return None\n"),
        f"{ROWS_TEST}::test_a_vm_that_stays_listed_without_a_configuration_is_not_taken_for_gone",
    ),
    removal(
        "F26",
        "the node is looked up, not remembered",
        (
            OWN,
            "config = await self._config(vm.node, vm.vmid)",
            'config = await self._config(NodeName("tappaas1"), vm.vmid)',
        ),
        f"{ROWS_TEST}::test_a_vm_that_was_moved_is_found_and_not_made_again",
    ),
    removal(
        "F27",
        "the HA manager lets go first",
        (
            "src/pvenix/lifecycle/destroy.py",
            "leave_ha=leave if power.ha else None,",
            "leave_ha=leave if power.ha == '-' else None,",
        ),
        f"{_RETIRE_TEST}::test_the_ha_manager_lets_go_of_a_vm_before_it_is_stopped_and_destroyed",
    ),
    removal(
        "F27",
        "the HA manager's answer is not its effect",
        (
            "src/pvenix/lifecycle/power.py",
            "if not await _comes(world, found, wanted, _HA_TIMEOUT_S if ha else _SPARE_S):",
            "if not await _comes(world, found, wanted, 0) and not ha:",
        ),
        f"{_POWER_TEST}::test_a_vm_that_the_ha_manager_keeps_is_off_when_it_is_off_and_not_when_the_request_ends",
    ),
    removal(
        "F34",
        "jobs that name the VM are told",
        ("src/pvenix/lifecycle/removal.py", "if found.vmid in job.vmids:", "if found.vmid == job.vmids:"),
        f"{_RETIRE_TEST}::test_a_job_that_names_the_vm_is_told_before_and_shortened_only_by_the_destruction",
    ),
    removal(
        "F35",
        "a guest is thawed when its snapshot hangs",
        (
            "src/pvenix/lifecycle/freezing.py",
            "            await _thaw(world, step, found)\n",
            "",
        ),
        f"{_SNAPSHOTS_TEST}::test_a_snapshot_that_hangs_has_its_guest_thawed_and_is_not_said_to_be_taken",
    ),
    removal(
        "F36",
        "newer snapshots are seen before the way back",
        ("src/pvenix/lifecycle/restore.py", "if way.passed and strict:", "if way.passed and not strict:"),
        f"{_SNAPSHOTS_TEST}::test_newer_snapshots_are_named_and_none_is_deleted_on_the_way_back",
    ),
    removal(
        "F37",
        "writes carry the digest",
        (
            "src/pvenix/lifecycle/calls.py",
            "self._pve.set_config(self._node, self._vmid, values, delete=delete, digest=digest)",
            "self._pve.set_config(self._node, self._vmid, values, delete=delete)",
        ),
        f"{SITE_TEST}::test_a_change_between_reading_and_writing_is_noticed",
    ),
    removal(
        "F39",
        "what waits is read back",
        (
            "src/pvenix/lifecycle/fields/compare.py",
            "return FieldState.EQUAL if self._same(one, now) and not unread else FieldState.PENDING",
            "return FieldState.EQUAL",
        ),
        f"{_REBOOT_TEST}::test_memory_and_cores_wait_for_a_reboot_and_are_not_written_again",
    ),
)
