"""Playbooks: Ansible's words, a closed set of them, and pvenix's verbs as tasks.

A word that only Ansible has is refused by name, so that nobody believes it has an effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pvenix.fleet import codes
from pvenix.fleet.node import Entry, Kind, Node
from pvenix.fleet.plays import Batch, Play, arg_problem, coerce, expand, refuse_unknown_tags, starting_at
from pvenix.fleet.yaml import read
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean
from pvenix.model.plan import ArgValue, Task
from pvenix.model.selector import Selector, parse_selector
from pvenix.model.verbs import VERBS, Arg

__all__ = ["Play", "coerce", "expand", "load_playbook", "refuse_unknown_tags", "starting_at"]

_PLAY = ("name", "hosts", "serial", "max_fail_percentage", "any_errors_fatal", "vars", "tasks")
_TASK = ("name", "tags", "throttle", "run_once")
_ANSIBLE = frozenset(
    """action always any_errors_fatal args async become become_exe become_flags become_method become_user block
    changed_when check_mode collections connection debugger delay delegate_facts delegate_to diff environment
    failed_when fact_path force_handlers gather_facts gather_subset gather_timeout handlers ignore_errors
    ignore_unreachable import_playbook import_role import_tasks include include_role include_tasks listen
    local_action loop loop_control max_fail_percentage module_defaults no_log notify order poll port post_tasks
    pre_tasks register remote_user rescue retries roles run_once serial strategy tags throttle timeout until vars
    vars_files vars_prompt when""".split()  # noqa: SIM905 - seventy quoted words read worse
)
"""Source: Ansible's reference, "Playbook Keywords"."""
_MODULES = frozenset(("shell", "command", "raw", "script", "copy", "template", "file", "apt", "service", "user"))
_SERIAL = re.compile(r"([1-9][0-9]{0,5})(%?)")


def load_playbook(path: Path, root: Path) -> tuple[Play, ...]:
    """The plays in the file `path`; findings name it relative to the fleet's `root`.

    Raises: InvalidInput with all findings. A required argument that no task gives is not one: `-e` may give it.
    """
    absolute = path.absolute()
    base = root.absolute()
    name = absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(path)
    tree = read(path, name)
    if tree is None:
        raise InvalidInput([Finding(file=name, line=1, column=1, code=codes.MISSING, what="holds no play")])
    reader = _Reader()
    plays = reader.plays(tree)
    if reader.findings:
        raise InvalidInput(sorted(set(reader.findings)))
    return tuple(plays)


class _Reader:
    """Reads one playbook and collects what is wrong."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def plays(self, tree: Node) -> list[Play]:
        if tree.kind != Kind.SEQ:
            self._wrong(tree, "a playbook is a list of plays", "start each play with `- name:`")
            return []
        found = [self._play(node) for node in tree.items]
        return [play for play in found if play is not None]

    def _wrong(self, node: Node, what: str, hint: str = "", code: str = codes.VALUE) -> None:
        self.findings.append(node.finding(code, what, hint))

    def _play(self, node: Node) -> Play | None:
        if node.kind != Kind.MAP:
            self._wrong(node, "a play is a map", "start it with `- name:`")
            return None
        for key, entry in node.entries.items():
            if key not in _PLAY:
                self._unknown_keyword(entry.key, key, _PLAY, "play")
        tasks = self._tasks(node)
        variables = self._variables(node.get("vars"), tasks)
        return Play(
            name=self._text(node, "name"),
            hosts=self._hosts(node),
            tasks=tuple(tasks),
            serial=self._serial(node.get("serial")),
            max_fail_percentage=self._percentage(node.get("max_fail_percentage")),
            any_errors_fatal=self._flag(node, "any_errors_fatal"),
            vars=variables,
            file=node.file,
            line=node.line,
        )

    def _unknown_keyword(self, key: Node, word: str, known: Sequence[str], what: str) -> None:
        if word in _ANSIBLE or word.startswith("with_"):
            hint = f"pvenix knows {', '.join(known)}"
            elsewhere = "play" if word in _PLAY else "task" if word in _TASK else ""
            if elsewhere:
                hint = f"`{word}` belongs to a {elsewhere}"
            text = f"`{word}` is Ansible's and pvenix does not support it in a {what}"
            self._wrong(key, text, hint, codes.KEYWORD)
        else:
            self._wrong(key, f"unknown keyword `{word[:60]}` in a {what}", did_you_mean(word, known), codes.KEYWORD)

    def _text(self, node: Node, key: str) -> str:
        value = node.get(key)
        if value is None or value.is_null:
            return ""
        if not isinstance(value.value, str):
            self._wrong(value, f"`{key}` must be text", "quote it")
            return ""
        self._no_template(value)
        return " ".join(value.value.split())

    def _no_template(self, node: Node) -> None:
        if isinstance(node.value, str) and "{{" in node.value:
            self._wrong(node, "templates are not supported", "write the value out, or give it with -e", codes.KEYWORD)

    def _flag(self, node: Node, key: str) -> bool:
        value = node.get(key)
        if value is None:
            return False
        if not isinstance(value.value, bool):
            self._wrong(value, f"`{key}` must be true or false")
        return value.value is True

    def _hosts(self, node: Node) -> Selector:
        value = node.get("hosts")
        if value is None:
            self._wrong(node, "`hosts` is missing", "write `hosts: all`", codes.MISSING)
        elif value.kind == Kind.SEQ and all(isinstance(item.value, str) for item in value.items):
            return self._selector(value, ":".join(item.value for item in value.items))
        elif isinstance(value.value, str):
            return self._selector(value, value.value)
        else:
            self._wrong(value, "`hosts` must be a pattern", "such as `all`, a group, or role_<name>")
        return parse_selector("all")

    def _selector(self, node: Node, text: str) -> Selector:
        self._no_template(node)
        try:
            return parse_selector(text)
        except UsageError as error:
            self._wrong(node, str(error), error.hint, codes.SELECTOR)
            return parse_selector("all")

    def _serial(self, node: Node | None) -> tuple[Batch, ...]:
        if node is None:
            return ()
        batches = []
        for item in node.items if node.kind == Kind.SEQ else [node]:
            match = _SERIAL.fullmatch(str(item.value)) if type(item.value) in (int, str) else None
            if match is None or (match[2] and int(match[1]) > 100):
                self._wrong(
                    item, "`serial` must be a number of hosts or a percentage", 'such as 1, "25%" or [1, "25%"]'
                )
            else:
                batches.append((int(match[1]), bool(match[2])))
        return tuple(batches)

    def _percentage(self, node: Node | None) -> float:
        if node is None:
            return 100.0
        value = node.value
        if type(value) not in (int, float) or not 0 <= value <= 100:
            self._wrong(node, "`max_fail_percentage` must be a number from 0 to 100")
            return 100.0
        return float(value)

    def _tasks(self, play: Node) -> list[Task]:
        node = play.get("tasks")
        if node is None:
            self._wrong(play, "`tasks` is missing", "list verbs under `tasks:`", codes.MISSING)
            return []
        if node.kind != Kind.SEQ or not node.items:
            self._wrong(node, "`tasks` must be a list of verbs", "such as `- clone:`")
            return []
        found = [self._task(item) for item in node.items]
        return [task for task in found if task is not None]

    def _task(self, node: Node) -> Task | None:
        if node.kind != Kind.MAP:
            self._wrong(node, "a task is a map", f"write `- {node.value}:`" if node.value in VERBS else "")
            return None
        verbs = [(key, entry) for key, entry in node.entries.items() if key in VERBS]
        for key, entry in node.entries.items():
            if key not in VERBS and key not in _TASK:
                self._unknown_in_task(entry.key, key, has_verb=bool(verbs))
        if len(verbs) > 1:
            names = " and ".join(key for key, _ in verbs)
            self._wrong(verbs[1][1].key, f"one task has one verb, this one has {names}", "split it", codes.VERB)
        if not verbs:
            if all(key in _TASK for key in node.entries):
                self._wrong(node, "the task has no verb", f"verbs: {', '.join(VERBS)}", codes.VERB)
            return None
        verb, entry = verbs[0]
        return Task(
            verb=verb,
            name=self._text(node, "name"),
            args=self._args(verb, entry),
            tags=self._tags(node.get("tags")),
            throttle=self._throttle(node.get("throttle")),
            run_once=self._flag(node, "run_once"),
        )

    def _unknown_in_task(self, key: Node, word: str, *, has_verb: bool) -> None:
        if word in _ANSIBLE or word.startswith("with_"):
            self._unknown_keyword(key, word, _TASK, "task")
        elif has_verb:
            self._unknown_keyword(key, word, (*_TASK, *VERBS), "task")
        elif "." in word or word in _MODULES:
            self._wrong(key, f"`{word[:60]}` is an Ansible module", f"verbs: {', '.join(VERBS)}", codes.VERB)
        else:
            self._wrong(key, f"unknown verb `{word[:60]}`", did_you_mean(word, [*VERBS, *_TASK]), codes.VERB)

    def _args(self, verb: str, entry: Entry) -> dict[str, ArgValue]:
        node = entry.value
        if node.is_null:
            return {}
        if node.kind != Kind.MAP:
            self._wrong(node, f"the arguments of `{verb}` must be a map", f"write `{verb}:` or `{verb}: {{…}}`")
            return {}
        known = VERBS[verb].args
        args: dict[str, ArgValue] = {}
        for key, item in node.entries.items():
            if key not in known:
                hint = did_you_mean(key, known) or f"`{verb}` takes no arguments"
                self._wrong(item.key, f"`{verb}` has no argument `{key[:60]}`", hint, codes.ARGUMENT)
            else:
                self._argument(args, f"{verb}.{key}", key, known[key], item.value)
        return args

    def _argument(self, args: dict[str, ArgValue], shown: str, key: str, spec: Arg, node: Node) -> None:
        self._no_template(node)
        problem = arg_problem(spec, node.value if node.kind == Kind.SCALAR else node.plain())
        if problem:
            self._wrong(node, f"`{shown}` {problem}", code=codes.ARGUMENT)
        else:
            args[key] = node.value

    def _tags(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        items = node.items if node.kind == Kind.SEQ else [node]
        tags: dict[str, None] = {}
        for item in items:
            if not isinstance(item.value, str):
                self._wrong(item, "`tags` must be a word or a list of words", "such as [provision]")
            else:
                tags.update((tag.strip(), None) for tag in item.value.split(",") if tag.strip())
        return tuple(tags)

    def _throttle(self, node: Node | None) -> int:
        if node is None:
            return 0
        if type(node.value) is not int or node.value < 0:
            self._wrong(node, "`throttle` must be a number of hosts", "0 is no limit")
            return 0
        return int(node.value)

    def _variables(self, node: Node | None, tasks: Sequence[Task]) -> dict[str, ArgValue]:
        if node is None or node.is_null:
            return {}
        if node.kind != Kind.MAP:
            self._wrong(node, "`vars` must be a map")
            return {}
        specs = {name: spec for task in tasks for name, spec in VERBS[task.verb].args.items()}
        variables: dict[str, ArgValue] = {}
        for key, entry in node.entries.items():
            if key not in specs:
                hint = did_you_mean(key, specs) or "none of the play's verbs takes arguments"
                self._wrong(entry.key, f"no verb of this play has an argument `{key[:60]}`", hint, codes.ARGUMENT)
            else:
                self._argument(variables, f"vars.{key}", key, specs[key], entry.value)
        return variables
