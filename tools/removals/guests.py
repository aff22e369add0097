"""Guests: reached at all, booted, with an identity of their own, and believed in what they say."""

from __future__ import annotations

from typing import Final

from tools.removals.spec import LAB_TEST, SITE_TEST, TRAPS_TEST, removal

_TEMPLATE_TEST: Final = "tests/story/test_fault_template.py"
_BOOT_TEST: Final = "tests/story/test_first_boot.py"
_TEXT: Final = "src/pvenix/adapters/text.py"

REMOVALS: Final = (
    removal(
        "F16",
        "the wait for the agent has an end of its own",
        (
            "src/pvenix/lifecycle/bootphases.py",
            'await until(answers, clock=world.clock, timeout_s=timeout_s, what="the guest agent")',
            'await until(answers, clock=world.clock, timeout_s=1e9, what="the guest agent")',
        ),
        f"{SITE_TEST}::test_an_agent_that_never_comes_up_is_waited_for_so_long_and_told_with_the_vm_s_state",
    ),
    removal(
        "F17",
        "addresses by the MAC of the own card",
        (
            "src/pvenix/lifecycle/addresses.py",
            "        if interface.mac in cards\n",
            "        if cards.setdefault(interface.mac, 0) == 0\n",
        ),
        f"{SITE_TEST}::test_a_bridge_inside_the_guest_is_not_its_network_card",
    ),
    removal(
        "F17",
        "link-local addresses do not count",
        ("src/pvenix/lifecycle/addresses.py", "ip.is_loopback or ip.is_link_local or", "ip.is_loopback or"),
        f"{_BOOT_TEST}::test_a_guest_without_a_usable_address_is_told_with_what_its_agent_reports",
    ),
    removal(
        "F17",
        "the agent is asked when the fixed address does not answer",
        (
            "src/pvenix/lifecycle/ways.py",
            "            return [*in_turn, self._by_agent(name, known, failed)]\n",
            "            return in_turn\n",
        ),
        f"{_BOOT_TEST}::test_a_fixed_address_that_leads_nowhere_gives_way_to_the_one_that_the_agent_knows",
    ),
    removal(
        "F18",
        "the boot is the same at the end as at the beginning",
        (
            "src/pvenix/lifecycle/boot.py",
            "if (await reader.read(argv.BOOT_ID)).strip() != boot_id:",
            "if not boot_id:",
        ),
        f"{_BOOT_TEST}::test_a_reboot_is_noticed_through_the_agent_too",
    ),
    removal(
        "F20",
        "a template without a cloud-init drive is broken",
        ("src/pvenix/lifecycle/template/lint.py", "    if not drive:\n", "    if drive is None:\n"),
        f"{_TEMPLATE_TEST}::test_a_template_whose_clones_would_get_no_user_is_broken",
    ),
    removal(
        "F31",
        "a clone has the machine id of no other",
        (
            "src/pvenix/lifecycle/template/canary.py",
            'if any(own in each.split("\\n") for each in earlier):',
            "if own in earlier:",
        ),
        f"{_TEMPLATE_TEST}::test_a_template_that_keeps_an_identity_is_never_proposed",
    ),
    removal(
        "F31",
        "guests with one host key are found",
        (
            "src/pvenix/lifecycle/template/health.py",
            "            if len(names) > 1:\n",
            "            if len(names) > 9:\n",
        ),
        f"{_TEMPLATE_TEST}::test_guests_that_share_what_is_a_machine_s_own_are_found",
    ),
    removal(
        "F31",
        "a host key is one host's",
        ("src/pvenix/lifecycle/identity.py", "    if other := twin(world, name):\n", "    if other := '':\n"),
        f"{_BOOT_TEST}::test_two_hosts_with_one_host_key_are_refused_by_both_names",
    ),
    removal(
        "F42",
        "guests are reached by address",
        (
            "src/pvenix/lifecycle/world.py",
            "            address=address,\n",
            "            address=name,\n",
        ),
        f"{SITE_TEST}::test_a_guest_with_a_wrong_name_is_reached_by_its_address",
    ),
    removal(
        "T1 R2",
        "no exit status is no success",
        (
            "src/pvenix/adapters/ssh/channels.py",
            "if self._status is None or (connection_lost and not self._complete):",
            "if False:",
        ),
        "tests/contract/test_guest_lost.py",
    ),
    removal(
        "T2 T14 R2",
        "an activation is attached to again",
        (
            "src/pvenix/lifecycle/activation/follow.py",
            "            if world.clock.monotonic() > watch.deadline:\n",
            "            if world.clock.monotonic() > 0:\n",
        ),
        f"{TRAPS_TEST}::test_an_activation_goes_on_without_its_connection_and_is_judged_by_its_unit",
    ),
    removal(
        "T3 R8",
        "what a guest prints is cleaned",
        (
            _TEXT,
            "        return self._clean(self._decoder.decode(data))\n",
            "        return self._decoder.decode(data)\n",
        ),
        f"{TRAPS_TEST}::test_what_a_guest_prints_moves_no_cursor",
    ),
    removal(
        "T10 R10",
        "host keys are pinned",
        ("src/pvenix/adapters/ssh/login.py", "known_hosts=([host_key], [], [])", "known_hosts=None"),
        f"{LAB_TEST}::test_a_jump_host_with_another_key_gets_no_login",
    ),
    removal(
        "R4",
        "a host key is one before it is pinned",
        ("src/pvenix/engine/trust.py", "    if not _KEY.fullmatch(key):\n", "    if not key:\n"),
        f"{SITE_TEST}::test_an_agent_that_talks_nonsense_hangs_nobody",
    ),
    removal(
        "R6",
        "a command that failed ends its step",
        ("src/pvenix/lifecycle/remote.py", "    if received(result).ok:\n", "    if received(result) is not None:\n"),
        f"{TRAPS_TEST}::test_a_full_disk_stops_a_rebuild_before_anything_is_switched_and_the_next_one_goes_on",
    ),
)
