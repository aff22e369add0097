"""Playbooks: strict, positioned, and bound to hosts as Ansible binds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.fleet.playbook import Play, expand, load_playbook, refuse_unknown_tags, starting_at
from pvenix.fleet.playbooks import read as read_playbook
from pvenix.fleet.starter import starter
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.plan import ArgValue

ROOT = starter()
HOSTS = [f"h{number}" for number in range(10)]


def read(tmp_path: Path, text: str) -> tuple[Play, ...]:
    path = tmp_path / "playbooks" / "p.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_playbook(path, tmp_path)


def play(tmp_path: Path, body: str, tasks: str = "[{build: }]") -> Play:
    (found,) = read(tmp_path, f"- {{hosts: all, tasks: {tasks}{body}}}")
    return found


def said(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, text)
    return [
        str(finding).replace("\n  hint: ", " | ").removeprefix("playbooks/p.yaml:").replace("error", "", 1)
        for finding in caught.value.findings
    ]


@pytest.mark.parametrize("name", ["onboard", "rebuild-all", "rollback", "retire"])
def test_the_starter_playbooks_are_valid(name: str) -> None:
    assert load_playbook(ROOT / "playbooks" / f"{name}.yaml", ROOT)


def test_a_play_keeps_its_words(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        """
- name: Bring  up
  hosts: [core, "!dns01"]
  serial: [1, "25%"]
  max_fail_percentage: 12.5
  any_errors_fatal: true
  vars: {comment: why}
  tasks:
    - name: Look
      review: {approve: true}
      tags: [a, "b,c"]
      throttle: 2
      run_once: true
    - build:
""",
    )
    assert (found.name, found.hosts.text, found.serial) == ("Bring up", "core:!dns01", ((1, False), (25, True)))
    assert (found.max_fail_percentage, found.any_errors_fatal, found.file, found.line) == (
        12.5,
        True,
        "playbooks/p.yaml",
        2,
    )
    first, second = found.tasks
    assert (first.verb, first.name, first.args) == ("review", "Look", {"approve": True})
    assert (first.tags, first.throttle, first.run_once) == (("a", "b", "c"), 2, True)
    assert (second.verb, second.args) == ("build", {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1", "1:1: [PVX0105]: a playbook is a list of plays | start each play with `- name:`"),
        ("- 3", "1:3: [PVX0105]: a play is a map | start it with `- name:`"),
        (
            "- {hosts: all, task: [], tasks: [{build: }]}",
            "1:16: [PVX0120]: unknown keyword `task` in a play | did you mean `tasks`?",
        ),
        (
            "- {hosts: all, become: true, tasks: [{build: }]}",
            (
                "1:16: [PVX0120]: `become` is Ansible's and pvenix does not support it in a play | "
                "pvenix knows name, hosts, serial, max_fail_percentage, any_errors_fatal, vars, tasks"
            ),
        ),
        (
            "- {hosts: all, tags: x, tasks: [{build: }]}",
            "1:16: [PVX0120]: `tags` is Ansible's and pvenix does not support it in a play | `tags` belongs to a task",
        ),
        ("- {tasks: [{build: }]}", "1:3: [PVX0106]: `hosts` is missing | write `hosts: all`"),
        ("- {hosts: all}", "1:3: [PVX0106]: `tasks` is missing | list verbs under `tasks:`"),
        ("- {hosts: all, tasks: {}}", "1:23: [PVX0105]: `tasks` must be a list of verbs | such as `- clone:`"),
        ("- {hosts: all, tasks: [build]}", "1:24: [PVX0105]: a task is a map | write `- build:`"),
        ("- {hosts: 3, tasks: [{build: }]}", "1:11: [PVX0105]: `hosts` must be a pattern | such as `all`, a group"),
        ("- {hosts: '~(', tasks: [{build: }]}", "1:11: [PVX0123]: `~(` is not a regular expression"),
        ("- {hosts: '{{ x }}', tasks: [{build: }]}", "1:11: [PVX0120]: templates are not supported"),
        ("- {hosts: all, tasks: [{clon: }]}", "1:25: [PVX0121]: unknown verb `clon` | did you mean `clone`?"),
        (
            "- {hosts: all, tasks: [{name: x}]}",
            "1:24: [PVX0121]: the task has no verb | verbs: place, clone, ",
        ),
        (
            "- {hosts: all, tasks: [{build: , clone: }]}",
            "1:34: [PVX0121]: one task has one verb, this one has build and clone | split it",
        ),
        (
            "- {hosts: all, tasks: [{build: , when: x}]}",
            "1:34: [PVX0120]: `when` is Ansible's and pvenix does not support it in a task",
        ),
        (
            "- {hosts: all, tasks: [{build: , with_items: x}]}",
            "1:34: [PVX0120]: `with_items` is Ansible's and pvenix does not support it in a task",
        ),
        (
            "- {hosts: all, tasks: [{build: , serial: 1}]}",
            (
                "1:34: [PVX0120]: `serial` is Ansible's and pvenix does not support it in a task | "
                "`serial` belongs to a play"
            ),
        ),
        (
            "- {hosts: all, tasks: [{build: , throtle: 1}]}",
            "1:34: [PVX0120]: unknown keyword `throtle` in a task | did you mean `throttle`?",
        ),
        (
            "- {hosts: all, tasks: [{ansible.builtin.shell: ls}]}",
            "1:25: [PVX0121]: `ansible.builtin.shell` is an Ansible module | verbs: place",
        ),
        ("- {hosts: all, tasks: [{shell: ls}]}", "1:25: [PVX0121]: `shell` is an Ansible module | verbs: place"),
        (
            "- {hosts: all, tasks: [{clone: {ful: true}}]}",
            "1:33: [PVX0122]: `clone` has no argument `ful` | did you mean `full`?",
        ),
        (
            "- {hosts: all, tasks: [{build: {x: 1}}]}",
            "1:33: [PVX0122]: `build` has no argument `x` | `build` takes no arguments",
        ),
        ("- {hosts: all, tasks: [{clone: {full: 1}}]}", "1:39: [PVX0122]: `clone.full` must be true or false"),
        ("- {hosts: all, tasks: [{rollback: {to: x}}]}", "1:40: [PVX0122]: `rollback.to` must be a whole number"),
        ("- {hosts: all, tasks: [{rollback: {to: [1]}}]}", "1:40: [PVX0122]: `rollback.to` must be a whole number"),
        ("- {hosts: all, tasks: [{clone: x}]}", "1:32: [PVX0105]: the arguments of `clone` must be a map"),
        (
            "- {hosts: all, vars: {approv: true}, tasks: [{review: }]}",
            "1:23: [PVX0122]: no verb of this play has an argument `approv` | did you mean `approve`?",
        ),
        (
            "- {hosts: all, vars: {approve: 3}, tasks: [{review: }]}",
            "1:32: [PVX0122]: `vars.approve` must be true or false",
        ),
        ("- {hosts: all, serial: 0, tasks: [{build: }]}", "1:24: [PVX0105]: `serial` must be a number of hosts"),
        (
            "- {hosts: all, serial: [1, 200%], tasks: [{build: }]}",
            "1:28: [PVX0105]: `serial` must be a number of hosts",
        ),
        ("- {hosts: all, serial: true, tasks: [{build: }]}", "1:24: [PVX0105]: `serial` must be a number of hosts"),
        (
            "- {hosts: all, max_fail_percentage: 101, tasks: [{build: }]}",
            "1:37: [PVX0105]: `max_fail_percentage` must be a number from 0 to 100",
        ),
        (
            "- {hosts: all, any_errors_fatal: 1, tasks: [{build: }]}",
            "1:34: [PVX0105]: `any_errors_fatal` must be true or false",
        ),
        ("- {hosts: all, tasks: [{build: , tags: [1]}]}", "1:41: [PVX0105]: `tags` must be a word or a list of words"),
        ("- {hosts: all, tasks: [{build: , throttle: x}]}", "1:44: [PVX0105]: `throttle` must be a number of hosts"),
        ("- {hosts: all, name: 3, tasks: [{build: }]}", "1:22: [PVX0105]: `name` must be text | quote it"),
    ],
)
def test_a_wrong_playbook_is_refused_at_the_place(text: str, problem: str, tmp_path: Path) -> None:
    found = said(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_all_problems_of_a_playbook_come_together(tmp_path: Path) -> None:
    found = said(tmp_path, "- {hosts: all, become: 1, tasks: [{clon: }]}\n- {host: all, tasks: [{build: {x: 1}}]}\n")
    assert [problem.partition(" ")[0] for problem in found] == ["1:16:", "1:36:", "2:3:", "2:4:", "2:32:"]


def test_an_empty_playbook_is_a_finding(tmp_path: Path) -> None:
    assert said(tmp_path, "# nothing\n") == ["1:1: [PVX0106]: holds no play"]


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [
        ("", [10]),
        (", serial: 3", [3, 3, 3, 1]),
        (', serial: "30%"', [3, 3, 3, 1]),
        (', serial: "25%"', [2, 2, 2, 2, 2]),
        (', serial: "1%"', [1] * 10),
        (', serial: [1, "50%"]', [1, 5, 4]),
        (", serial: [1, 2, 3]", [1, 2, 3, 3, 1]),
        (', serial: "100%"', [10]),
        (", serial: 99", [10]),
    ],
)
def test_waves_follow_serial_and_the_last_batch_repeats(serial: str, sizes: list[int], tmp_path: Path) -> None:
    waves = expand(play(tmp_path, serial), HOSTS).waves
    assert [len(wave) for wave in waves] == sizes
    assert [host for wave in waves for host in wave] == HOSTS


def test_no_hosts_are_no_waves_and_a_host_comes_once(tmp_path: Path) -> None:
    assert expand(play(tmp_path, ""), []).waves == ()
    assert expand(play(tmp_path, ""), ["a", "b", "a"]).waves == (("a", "b"),)


TAGGED = (
    "[{place: , tags: [a]}, {clone: , tags: [b]}, {boot: }, {build: , tags: [always]}, {hardware: , tags: [never, n]}]"
)


@pytest.mark.parametrize(
    ("tags", "skip", "verbs"),
    [
        ([], [], "place clone boot build"),
        (["a"], [], "place build"),
        (["a", "b"], [], "place clone build"),
        (["all"], [], "place clone boot build"),
        (["tagged"], [], "place clone build hardware"),
        (["untagged"], [], "boot build"),
        (["n"], [], "build hardware"),
        ([], ["b"], "place boot build"),
        ([], ["always"], "place clone boot"),
        ([], ["tagged"], "boot"),
        (["a"], ["a"], "build"),
    ],
)
def test_tags_choose_tasks_as_in_ansible(tags: list[str], skip: list[str], verbs: str, tmp_path: Path) -> None:
    plan = expand(play(tmp_path, "", TAGGED), HOSTS, tags=tags, skip_tags=skip)
    assert [task.verb for task in plan.tasks] == verbs.split()


def test_a_tag_that_no_task_has_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    found = play(tmp_path, "", "[{place: , tags: [provision]}, {boot: }]")
    refuse_unknown_tags([found], ["provision", "all", "tagged", "untagged", "always", "never"])
    with pytest.raises(UsageError, match="no task has the tag `provison`") as caught:
        refuse_unknown_tags([found], ["provison"])
    assert caught.value.hint == "did you mean `provision`?"


def test_start_at_leaves_out_what_stands_before(tmp_path: Path) -> None:
    found = play(tmp_path, "", "[{place: }, {clone: , name: Copy it}, {boot: }]")
    assert [task.verb for task in expand(found, HOSTS, start_at="Copy it").tasks] == ["clone", "boot"]
    assert [task.verb for task in expand(found, HOSTS, start_at="boot").tasks] == ["boot"]
    with pytest.raises(UsageError) as caught:
        expand(found, HOSTS, start_at="bot")
    assert caught.value.hint == "did you mean `boot`?"


def test_starting_at_leaves_out_whole_plays(tmp_path: Path) -> None:
    plays = read(tmp_path, "- {hosts: a, tasks: [{place: }]}\n- {hosts: b, tasks: [{clone: }, {boot: }]}\n")
    assert [[task.verb for task in one.tasks] for one in starting_at(plays, "boot")] == [["boot"]]
    assert len(starting_at(plays, "place")) == 2


def args(found: Play, extra: dict[str, ArgValue]) -> dict[str, ArgValue]:
    return expand(found, HOSTS, extra=extra).tasks[0].args


def test_arguments_come_from_vars_then_the_task_then_the_command_line(tmp_path: Path) -> None:
    found = play(tmp_path, ", vars: {comment: v, approve: true}", "[{review: {approve: false}}]")
    assert args(found, {}) == {"approve": False, "comment": "v"}
    assert args(found, {"comment": "e", "other": 1}) == {"approve": False, "comment": "e"}


@pytest.mark.parametrize(
    ("verb", "extra", "value"),
    [
        ("rollback", {"to": "41"}, 41),
        ("rollback", {"to": 41}, 41),
        ("clone", {"full": "yes"}, True),
        ("clone", {"full": "False"}, False),
        ("retire", {"confirm": 12}, "12"),
    ],
)
def test_text_from_the_command_line_becomes_the_arguments_type(
    verb: str, extra: dict[str, ArgValue], value: ArgValue, tmp_path: Path
) -> None:
    assert list(args(play(tmp_path, "", f"[{{{verb}: }}]"), extra).values()) == [value]


@pytest.mark.parametrize(
    ("verb", "extra", "message"),
    [
        ("rollback", {"to": "x"}, "-e to=x must be a whole number"),
        ("clone", {"full": "maybe"}, "-e full=maybe must be true or false"),
        ("rollback", {}, "`rollback` needs `to`: the generation's number"),
    ],
)
def test_an_argument_that_is_missing_or_does_not_fit_is_a_usage_error(
    verb: str, extra: dict[str, ArgValue], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        args(play(tmp_path, "", f"[{{{verb}: }}]"), extra)
    assert str(caught.value) == message


def test_a_playbook_is_described_by_its_first_sentence_without_the_command_below_it(tmp_path: Path) -> None:
    path = tmp_path / "onboard.yaml"
    path.write_text(
        "# From a line to\n# a machine:\n#   pvenix run onboard.yaml -l web01\n# Every task looks first.\n[]\n"
    )
    assert read_playbook(path, tmp_path).description == "From a line to a machine"
