"""Answers of the API and of the Git remote: refused, lost, warned of, not allowed, or no answer at all."""

from __future__ import annotations

from typing import Final

from tools.removals.spec import LAB_TEST, MAKING, OWN, ROWS_TEST, SITE_TEST, TRAPS_TEST, removal

_DOCTOR_TEST: Final = "tests/story/test_doctor_rights.py"
_TASKS: Final = "src/pvenix/adapters/pve/tasks.py"
_PROBLEMS: Final = "src/pvenix/adapters/pve/problems.py"
_ANSWERS: Final = "src/pvenix/adapters/pve/answers.py"

REMOVALS: Final = (
    removal(
        "F08",
        "warnings are a success",
        (_TASKS, 're.compile(r"OK|WARNINGS: \\d+")', 're.compile(r"OK")'),
        f"{ROWS_TEST}::test_warnings_are_a_success_and_are_shown",
    ),
    removal(
        "F09 R3",
        "a failed poll is tried again",
        (
            _TASKS,
            "            self._last_problem = sanitise(str(error))\n            return None\n",
            "            raise\n",
        ),
        f"{ROWS_TEST}::test_a_poll_that_fails_loses_no_task",
    ),
    removal(
        "F10",
        "the node of a task is that of its UPID",
        (_TASKS, '("nodes", upid_node(upid), "tasks", upid)', '("nodes", "tappaas1", "tasks", upid)'),
        f"{ROWS_TEST}::test_a_task_is_asked_for_on_the_node_of_its_upid",
    ),
    removal(
        "F11",
        "a silent node hides no host of another",
        (OWN, "                silent[vm.node] = error\n                continue\n", "                raise\n"),
        "tests/unit/test_lifecycle_world.py::test_a_node_that_is_down_hides_no_host_of_another",
    ),
    removal(
        "F12",
        "a read that was lost says why",
        (
            _PROBLEMS,
            'return Unreachable(f"{call.text} got no answer", why=f"{error.status} {why}", hint=hint)',
            'return Unreachable(f"{call.text} got no answer")',
        ),
        f"{SITE_TEST}::test_a_node_that_is_not_trusted_by_the_others_is_named_and_nothing_is_written",
    ),
    removal(
        "F13 R11",
        "certificates are verified",
        (
            "src/pvenix/adapters/pve/proxmox.py",
            "verify=False if fingerprint else str(ca) if ca else True",
            "verify=False",
        ),
        f"{LAB_TEST}::test_a_certificate_that_proves_nothing_is_sent_no_token",
    ),
    removal(
        "F14",
        "a refused token is told as such",
        (_PROBLEMS, "if error.status == 401:", "if error.status == 0:"),
        f"{SITE_TEST}::test_a_token_that_is_refused_ends_the_run_before_anything_is_written",
    ),
    removal(
        "F14",
        "a login that dies in the middle of a run is asked for",
        (
            "src/pvenix/adapters/pve/login.py",
            "            if self._ask is None or not self._worked:\n",
            "            if self._ask is not None or not self._worked:\n",
        ),
        "tests/story/test_login.py::test_a_token_that_dies_in_mid_run_is_asked_for_and_the_run_goes_on",
    ),
    removal(
        "F15",
        "keys are percent-encoded",
        (_ANSWERS, 'return quote(value, safe="")', "return value"),
        f"{SITE_TEST}::test_keys_arrive_as_they_were_written",
    ),
    removal(
        "F28",
        "an empty list may be a missing right",
        (
            MAKING,
            "return await world.vms.certain(step.host, step.facts)",
            "return await world.vms.find(step.host, step.facts)",
        ),
        f"{SITE_TEST}::test_an_empty_list_is_not_taken_for_an_empty_cluster",
    ),
    removal(
        "F28 R3",
        "a missing privilege is named",
        (_PROBLEMS, "if error.status == 403:", "if error.status == 0:"),
        f"{SITE_TEST}::test_a_missing_privilege_is_named_with_the_line_that_gives_it",
    ),
    removal(
        "F28",
        "the privilege that is missing is named before anything is begun",
        ("src/pvenix/model/privileges.py", "if not _met(need, granted))", "if not granted)"),
        f"{_DOCTOR_TEST}::test_each_privilege_that_is_taken_away_is_named_and_the_lines_bring_it_back",
    ),
    removal(
        "F43",
        "the quorum is read before anything is intended",
        ("src/pvenix/lifecycle/table.py", "        if self.needs_quorum:\n", "        if False:\n"),
        f"{SITE_TEST}::test_without_a_quorum_nothing_is_intended_and_reading_goes_on",
    ),
    removal(
        "T6",
        "only plain words become a path",
        (
            "src/pvenix/adapters/pve/transport.py",
            "        if not (_PART.fullmatch(str(part)) or _UPID.fullmatch(str(part))):\n",
            "        if not str(part):\n",
        ),
        "tests/unit/test_adapter_pve.py",
    ),
    removal(
        "T7 R3",
        "a page after a write leaves its outcome open",
        (_PROBLEMS, "case AnswerLost() | BadAnswer() if call.writes:", "case AnswerLost() if call.writes:"),
        f"{TRAPS_TEST}::test_an_answer_that_is_none_makes_no_second_vm",
    ),
    removal(
        "R5",
        "a merge that came second is made again",
        (
            "src/pvenix/adapters/git/repo.py",
            '            await self._lost_race(attempt)\n        raise RemoteFailure(f"{into} moved',
            '            break\n        raise RemoteFailure(f"{into} moved',
        ),
        f"{LAB_TEST}::test_somebody_else_s_push_is_kept_and_ours_comes_after_it",
    ),
    removal(
        "T15",
        "a machine without a keyring is told what serves there",
        (
            "src/pvenix/adapters/secrets.py",
            '    if argv[0] == "keyring" and _NO_KEYRING.search(words):\n',
            '    if argv[0] == "keyring" and not words:\n',
        ),
        "tests/unit/test_secret_providers.py::test_a_keyring_without_a_desktop_session_says_what_to_use_instead",
    ),
    removal(
        "T16",
        "pip at a service's start is found",
        ("src/pvenix/lifecycle/lint/scripts.py", "(?:pip[0-9.]*|easy_install|", "(?:easy_install|"),
        "tests/unit/test_lint.py::test_what_does_not_belong_into_a_fleet_is_found_under_its_code",
    ),
)
