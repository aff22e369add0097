"""Which hosts are meant: Ansible's patterns and facts. One implementation for `hosts:`, `--limit` and the TUI's filter.

    all  *                    every managed host
    web01  web*  web[0-9]     a host or group by name or glob
    core[0]  core[1:3]        members of a group by position, both ends counted; also core[1-3]
    ~web0[1-3]                a host or group by regular expression, from the start of the name
    role_vllm                 hosts with the role
    state=drifted             hosts of which a fact is known; `state=in-sync` means `in sync`
    a:b  a,b                  either
    a:&b                      both
    a:!b                      without

As in Ansible, unions count first, then intersections, then exclusions, whatever their order.
Source: Ansible's user guide, "Patterns: targeting hosts and groups".
"""

from __future__ import annotations

import fnmatch
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pvenix.model.errors import UsageError
from pvenix.model.nearest import did_you_mean

Facts = Mapping[str, Mapping[str, str]]
"""Per host what is known of it, such as `{"web01": {"state": "drifted"}}`."""

_FACT = re.compile(r"([a-z][a-z_-]*)=(.*)", re.DOTALL)
_POSITION = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{1,6})([:-])([0-9]{0,6}))\]")
_GLOB = re.compile(r"[*?\[]")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """What a selector can choose from."""

    hosts: Sequence[str]
    """Those that `all`, groups and globs may give, in order."""
    groups: Mapping[str, Sequence[str]]
    named: Sequence[str] = ()
    """Hosts that are given only when their exact name is asked for."""


Find = Callable[[Universe, Facts | None], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    sign: str
    text: str
    find: Find


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A pattern, read once and matched as often as wanted."""

    text: str
    terms: tuple[_Term, ...]
    needs_facts: bool
    """True when a fact is asked for, so that `match` needs facts."""

    def match(self, universe: Universe, facts: Facts | None = None) -> tuple[str, ...]:
        """The hosts meant, in the order of the pattern and then of the inventory, each once.

        Raises: UsageError for a name that is neither host nor group, or a fact that nobody has.
        """
        found = [(term.sign, term.find(universe, facts)) for term in self.terms]
        chosen: dict[str, None] = {}
        if all(sign for sign, _ in found):
            chosen.update(dict.fromkeys(universe.hosts))
        for sign, hosts in found:
            if not sign:
                chosen.update(dict.fromkeys(hosts))
        for wanted in ("&", "!"):
            for sign, hosts in found:
                if sign == wanted:
                    members = set(hosts)
                    chosen = {host: None for host in chosen if (host in members) == (wanted == "&")}
        return tuple(chosen)


@lru_cache(maxsize=256)
def parse_selector(text: str) -> Selector:
    """The selector that `text` spells.

    Raises: UsageError when it is empty or not a pattern.
    """
    parts = [part.strip() for part in _split(text)]
    terms = [_term(part) for part in parts if part]
    if not terms:
        raise UsageError("the host pattern is empty", hint="write `all` for every host")
    return Selector(
        text=text,
        terms=tuple(terms),
        needs_facts=any(_FACT.fullmatch(term.text) for term in terms if not term.text.startswith("~")),
    )


def _split(text: str) -> list[str]:
    """The parts between `:` and `,`, except inside brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth = max(0, depth - 1)
        elif character in ":," and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _term(part: str) -> _Term:
    sign = part[0] if part[0] in "&!" else ""
    text = part[len(sign) :].strip()
    if not text:
        raise UsageError(f"nothing follows `{sign}` in the host pattern", hint="write for example `all:!web01`")
    return _Term(sign=sign, text=text, find=_finder(text))


def _finder(text: str) -> Find:
    if text in ("all", "*"):
        return lambda universe, _facts: list(universe.hosts)
    if text.startswith("~"):
        return _by_regex(text)
    fact = _FACT.fullmatch(text)
    if fact:
        return _by_fact(fact[1], fact[2])
    position = _POSITION.fullmatch(text)
    if position:
        return _by_position(position, _by_glob(re.compile(fnmatch.translate(text))))
    if _GLOB.search(text):
        return _by_glob(re.compile(fnmatch.translate(text)))
    return lambda universe, _facts: _by_name(universe, text)


def _by_name(universe: Universe, name: str) -> list[str]:
    members = universe.groups.get(name)
    if members is not None:
        return list(members)
    if name in universe.hosts or name in universe.named:
        return [name]
    known = [*universe.hosts, *universe.named, *universe.groups]
    raise UsageError(
        f"no host or group is called `{name[:80]}`", hint=did_you_mean(name, known) or "pvenix inventory graph"
    )


def _by_regex(text: str) -> Find:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # `[[` will mean something else one day; today it is a set
            return _by_glob(re.compile(text[1:]))
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"`{text[:80]}` is not a regular expression", why=str(error)) from error


def _by_glob(pattern: re.Pattern[str]) -> Find:
    def find(universe: Universe, _facts: Facts | None) -> list[str]:
        found = [host for name, members in universe.groups.items() if pattern.match(name) for host in members]
        return [*found, *(host for host in universe.hosts if pattern.match(host))]

    return find


def _by_position(match: re.Match[str], glob: Find) -> Find:
    inner = _finder(match[1])
    single, first, separator, last = match[2], match[3], match[4], match[5]

    def find(universe: Universe, facts: Facts | None) -> list[str]:
        if separator == "-" and match[1] not in universe.groups:
            return glob(universe, facts)  # `web0[2-9]` is a character class unless there is a group `web0`
        hosts = list(dict.fromkeys(inner(universe, facts)))
        if single is None:
            return hosts[int(first) : int(last) + 1 if last else None]
        index = int(single)
        return [hosts[index]] if -len(hosts) <= index < len(hosts) else []

    return find


def _by_fact(key: str, value: str) -> Find:
    wanted = re.compile(fnmatch.translate(_folded(value)))

    def find(universe: Universe, facts: Facts | None) -> list[str]:
        if facts is None:
            raise UsageError(
                f"`{key}={value}` asks for what is known of the hosts, and this command has not looked at them",
                hint="name hosts or groups here",
            )
        known = {name for of_host in facts.values() for name in of_host}
        if facts and key not in known:
            raise UsageError(f"no fact is called `{key}`", hint=did_you_mean(key, known))
        return [host for host in universe.hosts if wanted.match(_folded(facts.get(host, {}).get(key, "")))]

    return find


def _folded(text: str) -> str:
    return text.strip().casefold().replace("-", " ").replace("_", " ")
