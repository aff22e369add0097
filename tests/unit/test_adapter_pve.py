"""Waiting for a task, API paths, and messages: everything about Proxmox that needs no Proxmox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from pvenix.adapters.pve.answers import (
    fields,
    number,
    pci_mappings,
    rows,
    text,
    vm_config,
    vm_pending,
    vm_state,
    wire_value,
)
from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.problems import Call, explained
from pvenix.adapters.pve.transport import (
    AnswerLost,
    ApiPath,
    ApiStatus,
    BadAnswer,
    NotSent,
    Params,
    api_path,
    upid_node,
)
from pvenix.engine.ports import NewVm, VmConfig
from pvenix.model.errors import OutcomeUnknown, UsageError
from pvenix.model.names import node_name, vmid

UPID = "UPID:n1:000003E8:0012D687:691F2C3D:qmclone:8100:pvenix@pve!lab:"
Answer = object | Exception


class VirtualClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> str:
        return "2025-01-01T00:00:00.000Z"

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Script:
    """A transport that answers by path from a function."""

    def __init__(self, answer: Callable[[str, Params], Answer]) -> None:
        self.calls: list[tuple[str, str, Mapping[str, object]]] = []
        self._answer = answer

    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        self.calls.append((method, path, dict(params)))
        answer = self._answer(path, params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None: ...


def over(answer: Callable[[str, Params], Answer]) -> tuple[PveCluster, Script, VirtualClock]:
    script, clock = Script(answer), VirtualClock()
    return PveCluster(script, clock=clock, cluster="lab", token="t@pve!x"), script, clock


class Task:
    """A task of Proxmox: `lines` of log, shown up to `shown`, running until `polls` are over."""

    def __init__(self, lines: int, polls: int, exit_text: str = "OK", failures: list[Exception] | None = None) -> None:
        self.lines = [f"line {number}" for number in range(1, lines + 1)]
        self.polls = polls
        self.exit_text = exit_text
        self.failures = failures or []
        self.seen = 0

    def __call__(self, path: str, params: Params) -> Answer:
        if self.failures:
            return self.failures.pop(0)
        if path.endswith("/status"):
            self.seen += 1
            return {"status": "stopped", "exitstatus": self.exit_text} if self.over else {"status": "running"}
        start, limit = int(str(params["start"])), int(str(params["limit"]))
        shown = self.lines if self.over else self.lines[: len(self.lines) * self.seen // self.polls]
        if not shown:
            return [{"n": 1, "t": "no content"}]
        return [{"n": n, "t": line} for n, line in list(enumerate(shown, 1))[start : start + limit]]

    @property
    def over(self) -> bool:
        return self.seen >= self.polls


async def test_a_log_of_many_pages_comes_once_and_in_order() -> None:
    cluster, _, _ = over(Task(1700, 4))
    lines: list[str] = []
    result = await cluster.wait(UPID, timeout_s=60, on_line=lines.append)
    assert result.ok
    assert "".join(lines).splitlines() == [f"line {number}" for number in range(1, 1701)]
    assert result.log[-1] == "line 1700"
    assert len(result.log) == 500


async def test_an_empty_log_has_no_line() -> None:
    cluster, _, _ = over(Task(0, 3))
    lines: list[str] = []
    assert (await cluster.wait(UPID, timeout_s=60, on_line=lines.append)).log == ()
    assert lines == []


async def test_pauses_grow_from_a_tenth_to_one_second() -> None:
    cluster, script, clock = over(Task(0, 40))
    await cluster.wait(UPID, timeout_s=600, on_line=lambda _: None)
    assert 25 < clock.now < 40
    assert len(script.calls) == 80


@pytest.mark.parametrize(
    ("text_", "ok"),
    [("OK", True), ("WARNINGS: 2", True), ("command failed: exit code 1", False), ("unexpected status", False)],
)
async def test_warnings_are_success_and_every_other_text_is_not(text_: str, ok: bool) -> None:
    result = await over(Task(1, 1, text_))[0].wait(UPID, timeout_s=60, on_line=lambda _: None)
    assert (result.ok, result.exit_text) == (ok, text_)


async def test_failed_polls_do_not_end_the_wait() -> None:
    failures: list[Exception] = [ApiStatus(599, "x"), NotSent("down"), AnswerLost("reset")] * 8
    result = await over(Task(3, 2, failures=failures))[0].wait(UPID, timeout_s=60, on_line=lambda _: None)
    assert result.ok


async def test_a_task_that_can_no_longer_be_read_is_unknown_before_the_limit() -> None:
    cluster, _, clock = over(lambda _path, _params: ApiStatus(500, "no such task"))
    with pytest.raises(OutcomeUnknown, match="UPID:n1") as unknown:
        await cluster.wait(UPID, timeout_s=3600, on_line=lambda _: None)
    assert clock.now < 10
    assert "no such task" in unknown.value.why


async def test_the_limit_holds_while_every_poll_fails() -> None:
    cluster, _, clock = over(lambda _path, _params: AnswerLost("cut"))
    with pytest.raises(OutcomeUnknown):
        await cluster.wait(UPID, timeout_s=30, on_line=lambda _: None)
    assert 29 < clock.now <= 31


async def test_a_stopped_task_without_an_exit_status_is_asked_again() -> None:
    answers = iter([{"status": "stopped"}, [], {"status": "stopped", "exitstatus": "OK"}, []])
    assert (await over(lambda _p, _q: next(answers))[0].wait(UPID, timeout_s=9, on_line=lambda _: None)).ok


async def test_the_node_of_a_task_is_the_one_in_its_id() -> None:
    cluster, script, _ = over(Task(0, 1))
    await cluster.wait(UPID, timeout_s=9, on_line=lambda _: None)
    assert all(path.startswith(f"nodes/n1/tasks/{UPID}/") for _, path, _ in script.calls)


async def test_log_lines_cannot_move_a_cursor() -> None:
    def answer(path: str, _: Params) -> Answer:
        if path.endswith("status"):
            return {"status": "stopped", "exitstatus": "bad \x1b[2J"}
        return [{"n": 1, "t": "a\x1b]52;c;x\x07b"}]

    lines: list[str] = []
    result = await over(answer)[0].wait(UPID, timeout_s=9, on_line=lines.append)
    assert (lines, result.exit_text) == (["ab\n"], "bad ")


async def test_reads_are_tried_three_times_and_writes_once() -> None:
    cluster, script, _ = over(lambda _p, _q: AnswerLost("cut"))
    with pytest.raises(Exception, match="no answer"):
        await cluster.version()
    assert len(script.calls) == 3
    with pytest.raises(OutcomeUnknown):
        await cluster.set_config(node_name("n1"), vmid(100), {"cores": "2"})
    assert len(script.calls) == 4


async def test_a_clone_sends_only_what_it_is_given() -> None:
    cluster, script, _ = over(lambda _p, _q: UPID)
    await cluster.clone(node_name("n1"), vmid(8100), NewVm(vmid=vmid(200), name="a", description="", full=True))
    assert script.calls == [
        ("POST", "nodes/n1/qemu/8100/clone", {"newid": "200", "name": "a", "full": "1", "description": ""})
    ]


async def test_the_newest_task_comes_first() -> None:
    cluster, _, _ = over(lambda _p, _q: [{"upid": "a", "starttime": 1}, {"upid": "b", "starttime": 2}])
    assert [task.upid for task in await cluster.tasks_of(node_name("n1"), vmid(100))] == ["b", "a"]


@given(st.text(max_size=12) | st.text(alphabet="aA0._-/?%#", max_size=8))
def test_only_plain_words_enter_a_path(part: str) -> None:
    try:
        path = api_path("nodes", part, "qemu")
    except UsageError:
        return
    assert path.count("/") == 2
    assert not set(path) & set("?#%&; \\\n")
    assert not any(
        word.startswith(".") or ".." in word for word in path.split("/")
    )  # a storage's name may have dots inside


@pytest.mark.parametrize("part", ["..", ".", "", "a/b", "n?x=1#", "%2e%2e", "-x", "n1\n", "UPID:n1:x"])
def test_what_is_no_word_is_refused(part: str) -> None:
    with pytest.raises(UsageError):
        api_path("nodes", part)


@pytest.mark.parametrize(
    "upid", ["", "UPID:", "UPID:../x:000003E8:0012D687:691F2C3D:a:1:u@pve:", UPID[:-1], UPID + "/x"]
)
def test_what_is_no_task_id_is_refused(upid: str) -> None:
    with pytest.raises(UsageError):
        upid_node(upid)
    assert upid_node(UPID) == "n1"


def test_mixed_types_become_text() -> None:
    config = vm_config({"cores": 2, "agent": "1", "kvm": True, "memory": "4096", "smbios1": "uuid=AB-C", "digest": "d"})
    assert config.values == {"cores": "2", "agent": "1", "kvm": "1", "memory": "4096", "smbios1": "uuid=AB-C"}
    assert (config.digest, config.uuid) == ("d", "ab-c")


def test_a_vm_without_fresh_statistics_is_still_a_vm() -> None:
    vm = vm_state({"vmid": "200", "node": "n1", "type": "qemu", "status": "unknown", "tags": "b;a", "name": None})
    assert (vm.vmid, vm.name, vm.status, vm.tags, vm.memory_max, vm.template) == (
        200,
        "",
        "unknown",
        ("b", "a"),
        0,
        False,
    )


@pytest.mark.parametrize(
    "broken",
    [
        lambda: fields([]),
        lambda: rows({}),
        lambda: rows([1]),
        lambda: text({}, "x"),
        lambda: text({"x": []}, "x"),
        lambda: number({"x": "many"}, "x"),
        lambda: number({"x": "inf"}, "x"),
        lambda: vm_state({"vmid": 1, "node": "n1"}),
        lambda: vm_state({"vmid": 100, "node": "../x"}),
    ],
)
def test_an_answer_of_another_shape_is_bad(broken: Callable[[], object]) -> None:
    with pytest.raises(BadAnswer):
        broken()


def test_pending_values_and_pending_deletes() -> None:
    found = vm_pending(
        [
            {"key": "a", "value": 1, "pending": 2},
            {"key": "b", "delete": 1},
            {"key": "c", "value": 3},
            {"key": "digest", "value": "d"},
        ]
    )
    assert (found.waiting, found.config) == ({"a": "2", "b": ""}, VmConfig(values={"a": "1", "c": "3"}, digest="d"))


@given(st.text(alphabet="abc +/@:%\n=ü", max_size=20))
def test_keys_are_encoded_once_however_often_they_pass(keys: str) -> None:
    once = wire_value("sshkeys", "ssh-ed25519 " + keys)
    assert wire_value("sshkeys", once) == once
    assert not set(once) & set(" +/@:\n")
    assert wire_value("description", keys) == keys


def test_a_denied_call_says_what_to_type() -> None:
    call = Call(cluster="lab", token="a@pve!b", method="GET", path="nodes/n1/qemu/311/config")
    problem = explained(call, ApiStatus(403, "Permission check failed (/vms/311, VM.Audit|VM.Config.Options)"))
    assert problem.hint == (
        "it takes VM.Audit or VM.Config.Options on /vms/311: `pvenix doctor` prints the pveum lines; by hand, to the "
        "role that a@pve!b has there: pveum role modify <role> --append 1 --privs VM.Audit"
    )
    clone = Call(cluster="lab", token="a@pve!b", method="POST", path="nodes/n1/qemu/8100/clone")
    assert "--privs VM.Allocate" in explained(clone, ApiStatus(403, "Permission check failed")).hint
    other = Call(cluster="lab", token="a@pve!b", method="GET", path="version")
    assert explained(other, ApiStatus(403, "Permission check failed")).hint == (
        "`pvenix doctor` names what a@pve!b lacks, with the pveum lines that give it"
    )


def test_a_dead_login_says_how_to_go_on() -> None:
    for token, words in (("a@pve!b", "API token a@pve!b"), ("ops@pam", "login of ops@pam")):
        problem = explained(Call(cluster="lab", token=token, method="GET", path="x"), ApiStatus(401, "No ticket"))
        assert f"does not accept the {words}" in problem.what
        assert "pvenix resume last" in problem.hint


def test_an_error_that_is_not_the_transports_is_a_defect() -> None:
    with pytest.raises(ZeroDivisionError):
        explained(Call(cluster="a", token="b", method="GET", path="c"), ZeroDivisionError())


class Silent(Task):
    """A task that runs on and logs nothing after its first lines."""

    @override
    def __call__(self, path: str, params: Params) -> Answer:
        if path.endswith("/status"):
            self.seen = min(self.seen + 1, self.polls - 1)
            return {"status": "running"}
        return super().__call__(path, params)


async def test_a_task_that_logs_nothing_new_is_given_up_long_before_the_limit() -> None:
    cluster, _, clock = over(Silent(8, 3))
    with pytest.raises(OutcomeUnknown) as unknown:
        await cluster.wait(UPID, timeout_s=86_400, stall_s=60, on_line=lambda _: None)
    assert unknown.value.code == "PVX0546"
    assert 60 <= clock.now < 65
    assert unknown.value.evidence == ("line 1", "line 2", "line 3", "line 4", "line 5")
    assert "n1" in unknown.value.hint


async def test_a_task_that_goes_on_logging_never_stalls() -> None:
    cluster, _, clock = over(Task(3000, 3000))
    assert (await cluster.wait(UPID, timeout_s=86_400, stall_s=5, on_line=lambda _: None)).ok
    assert clock.now > 2000


async def test_time_in_which_a_task_cannot_be_read_is_no_stall() -> None:
    failures: list[Exception] = [AnswerLost("cut")] * 200
    cluster, _, clock = over(Task(1, 2, failures=failures))
    assert (await cluster.wait(UPID, timeout_s=86_400, stall_s=20, on_line=lambda _: None)).ok
    assert clock.now > 100


def test_each_line_of_a_mapping_is_a_device_and_a_mediated_one_is_shared() -> None:
    lines = ["node=n1,path=0000:01:00.0,id=10de:2204", "node=n1,path=0000:02:00.0,id=10de:2204", "id=10de:2204,node=n2"]
    found = pci_mappings([{"id": "gpu0", "map": lines}, {"id": "vgpu", "mdev": 1, "map": lines[:1]}, {"id": "none"}])
    assert (found["gpu0"], found["none"]) == ({"n1": 2, "n2": 1}, {})
    assert found["vgpu"][node_name("n1")] > 100
