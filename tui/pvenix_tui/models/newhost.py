"""The form of a new host: what is asked, what stands beside each field, and what would be written."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pvenix.model.errors import UsageError
from pvenix.model.names import host_name
from pvenix.model.newhost import LISTS, PATHS, Asked, NewHost, Option, Placing, Trial, words_of
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Line, Tone, text_line

DRAFT: Final = "newhost.draft"
"""The name under which a draft is remembered."""
AUTO: Final = "auto"
OPTION_COLUMNS: Final = (
    Column(title="VALUE", width=18),
    Column(title="NOW", width=3),
    Column(title="WHAT IT IS", width=30, grow=1, prose=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One line of the form."""

    asked: Asked
    help: str


FORM: Final = (
    FormField(asked=Asked.NAME, help="how the inventory, DNS and Proxmox will call it: letters, digits, inner hyphens"),
    FormField(asked=Asked.ROLES, help="what it is for; several, parted by spaces; f2 lists them"),
    FormField(asked=Asked.GROUPS, help="groups whose settings it gets; the first one's list gets its fields"),
    FormField(asked=Asked.CLASS, help="its size; cores, memory and disk below overrule it one by one"),
    FormField(asked=Asked.CORES, help="processor cores; empty is the class's"),
    FormField(asked=Asked.MEMORY, help="such as 4G or 512M; empty is the class's"),
    FormField(asked=Asked.DISK, help="its root disk, no smaller than the template's; empty is the class's"),
    FormField(asked=Asked.ZONE, help="its network: bridge, VLAN, gateway and DNS come from it"),
    FormField(asked=Asked.ADDRESS, help="dhcp, or an address with its prefix; f2 proposes a free one of the zone"),
    FormField(asked=Asked.NODE, help="auto lets placement choose; a name keeps it there; f2 lists them with points"),
    FormField(asked=Asked.TEMPLATE, help="what it is cloned from"),
)
LABEL_WIDTH: Final = max(len(field.asked) for field in FORM) + 2


def field_note(asked: Asked, value: str, trial: Trial | None, placing: Placing | None) -> Line:
    """What stands beside a field: what is wrong with it, what was chosen, or its default and who says so."""
    if trial is None:
        return text_line("")
    wrong = trial.problems.get(asked, "")
    if wrong and (value or asked is not Asked.NAME):
        return text_line(f"! {_at_field(wrong)}", Tone.BAD)
    if asked is Asked.NAME:
        return text_line("+ free" if value else "a name is needed", Tone.OK if value else Tone.WARN)
    if value:
        return text_line(_chosen(asked, value, trial), Tone.DIM)
    if asked is Asked.NODE and placing is not None and placing.node:
        return text_line(f"would go to {placing.node}", Tone.DIM)
    effective = trial.effective.get(asked)
    return text_line(effective.why if effective else _unsaid(asked), Tone.DIM)


def name_note(name: str, taken: Collection[str]) -> Line:
    """What can be said of a name at once, before the whole fleet was tried with it; empty when nothing is against it."""
    try:
        host_name(name)
    except UsageError as error:
        return text_line(
            f"! {error.what}: {error.hint}" if name else "a name is needed", Tone.BAD if name else Tone.WARN
        )
    return text_line(f"! {name} is taken", Tone.BAD) if name in taken else ()


def placeholder(asked: Asked, trial: Trial | None) -> str:
    """What counts when nothing is typed."""
    effective = trial.effective.get(asked) if trial is not None else None
    return effective.value if effective is not None else ""


def _chosen(asked: Asked, value: str, trial: Trial) -> str:
    wanted = words_of(value) if asked in LISTS else [value]
    found = [option.help for option in trial.options.get(asked, ()) if option.value in wanted and option.help]
    return found[0] if len(found) == 1 else ""


def _unsaid(asked: Asked) -> str:
    return {
        Asked.ROLES: "none: nothing but the configuration common to all",
        Asked.GROUPS: "none: it stands below all",
        Asked.ZONE: "none: the template's network as it is",
    }.get(asked, "")


def focus_lines(field: FormField, trial: Trial | None) -> list[Line]:
    """What is said in full of the field that has the keys."""
    wrong = trial.problems.get(field.asked, "") if trial is not None else ""
    lines = [text_line(f" {field.help}", Tone.PLAIN)]
    return [*lines, text_line(f" {_at_field(wrong)}", Tone.BAD)] if wrong else lines


def _at_field(wrong: str) -> str:
    """What is wrong, without the key of the inventory: the field itself stands beside it."""
    path, _, rest = wrong.partition("`: ")
    return rest if rest and path.startswith("`machine.") else wrong


def whole_lines(trial: Trial | None) -> list[Line]:
    """What is wrong with the whole, and what should be looked at."""
    if trial is None:
        return []
    known = {field.asked.value for field in FORM}
    wrong = [text_line(f" ! {words}", Tone.BAD) for asked, words in trial.problems.items() if asked not in known]
    return [*wrong, *(text_line(f" ! {words}", Tone.WARN) for words in trial.warnings)]


def placing_lines(placing: Placing | None, *, asking: bool, stale: bool) -> list[Line]:
    """Where it would go, or what is known of that."""
    if asking:
        return [((" place  ", Tone.TITLE), ("asking the cluster where it would go", Tone.BUSY))]
    if placing is None:
        return [((" place  ", Tone.TITLE), ("asked when the form is right and a field is left", Tone.DIM))]
    tone = Tone.DIM if stale else Tone.OK if placing.node else Tone.BAD
    lines: list[Line] = [((" place  ", Tone.TITLE), *text_line(placing.words + (" ?" if stale else ""), tone))]
    return [*lines, *(text_line(f"        ! {words}", Tone.WARN) for words in placing.warnings)]


def diff_lines(diff: str) -> list[Line]:
    """A difference, line by line with its tone."""
    tones = {"+": Tone.OK, "-": Tone.BAD, "@": Tone.HUNK}
    return [text_line(line, tones.get(line[:1], Tone.DIM)) for line in diff.splitlines()]


def added_lines(trial: Trial | None) -> list[Line]:
    """The lines that would be written, without those around them."""
    if trial is None or not trial.diff:
        return [text_line(" what will be written shows here as soon as the name is right", Tone.DIM)]
    own = [line for line in trial.diff.splitlines()[2:] if line.startswith("+")]
    title = ((" writes ", Tone.TITLE), *text_line(trial.file, Tone.PLAIN), (" (nothing is committed)", Tone.DIM))
    return [title, *(text_line(line, Tone.OK) for line in own)]


def first_problem(trial: Trial) -> tuple[Asked | None, str]:
    """The first field of the form with something wrong, None for something about the whole; empty words when all is well."""
    for field in FORM:
        if words := trial.problems.get(field.asked, ""):
            return field.asked, f"{field.asked}: {words}"
    return None, next(iter(trial.problems.values()), "")


def options_of(asked: Asked, trial: Trial | None, placing: Placing | None) -> tuple[Option, ...]:
    """What may be chosen for a field, empty when anything may be typed."""
    if asked is Asked.NODE:
        help_text = f"placement chooses: {placing.words}" if placing and placing.node else "placement chooses"
        return (Option(value=AUTO, help=help_text), *(placing.nodes if placing else ()))
    return trial.options.get(asked, ()) if trial is not None else ()


def option_choices(asked: Asked, value: str, options: Iterable[Option], refused: Iterable[str] = ()) -> list[Choice]:
    """The options as a list to choose from; of a field that takes several, choosing one again takes it back."""
    wanted, no = words_of(value) if asked in LISTS else [value], set(refused)
    return [
        Choice(
            key=option.value,
            cells=(
                (option.value, Tone.STRONG),
                ("yes" if option.value in wanted else "", Tone.ACCENT),
                (option.help, Tone.PLAIN),
            ),
            note=option.help,
            disabled=option.help if option.value in no else "",
        )
        for option in options
    ]


def with_choice(asked: Asked, value: str, chosen: str) -> str:
    """The field's text once an option was chosen."""
    if asked not in LISTS:
        return "" if asked is Asked.NODE and chosen == AUTO else chosen
    words = words_of(value)
    return " ".join([word for word in words if word != chosen] if chosen in words else [*words, chosen])


def from_draft(draft: Mapping[str, str]) -> dict[Asked, str]:
    """The texts of a remembered draft; what an older form asked besides is left out."""
    return {Asked(name): text for name, text in draft.items() if name in set(Asked)}


_OPTIONS: Final = {Asked.CLASS: "--class", Asked.ZONE: "--zone", Asked.ADDRESS: "--address"}


def add_command(new: NewHost) -> str:
    """`pvenix host add` with the same effect."""
    words = ["pvenix", "host", "add", new.name]
    for role in new.machine.get("roles", ()):
        words += ["--role", str(role)]
    for group in new.groups:
        words += ["--group", group]
    for asked, path in PATHS.items():
        value: object = new.machine
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None or asked is Asked.ROLES:
            continue
        words += [_OPTIONS[asked], str(value)] if asked in _OPTIONS else [f"{'.'.join(path)}={value}"]
    return shlex.join(words)
