"""What every Guest must do, whatever carries it: commands, their streams, files, connections."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pvenix.engine.ports import End
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.contract.guest_worlds import GuestWorld
from tests.contract.openssh import another_key

ODD_NAMES = ("a b", "it's", '"q"', "$(id)", "`id`", "a;b", "-x", "*", "x\ny", "\\", "é", "~", "#", "&", "a|b", ">f")


async def test_an_exit_status_and_both_streams_are_told_apart(guest_world: GuestWorld) -> None:
    guest_world.write("known", b"out\n")
    session = await guest_world.guest.session(guest_world.target)
    argv = ["cat", guest_world.at("known"), guest_world.at("missing")]
    result = await session.run(argv)
    assert (result.end, result.exit_status, result.ok) == (End.EXITED, 1, False)
    assert result.stdout == "out\n"
    assert result.stderr == f"cat: {guest_world.at('missing')}: No such file or directory\n"
    assert result.argv == tuple(argv)
    assert (await session.run(["true"])).ok
    failed = await session.run(["false"])
    assert (failed.end, failed.exit_status, failed.ok) == (End.EXITED, 1, False)


async def test_an_unknown_program_is_status_127_and_not_an_exception(guest_world: GuestWorld) -> None:
    result = await (await guest_world.guest.session(guest_world.target)).run(["no-such-program"])
    assert (result.end, result.exit_status) == (End.EXITED, 127)
    assert "no-such-program" in result.stderr


async def test_a_signal_is_neither_success_nor_loss(signalling_world: GuestWorld) -> None:
    session = await signalling_world.guest.session(signalling_world.target)
    result = await session.run(signalling_world.signalled)
    assert (result.end, result.ok, result.exit_status) == (End.SIGNALLED, False, -1)
    assert (await session.run(["true"])).ok


async def test_output_comes_sanitised_to_the_sink_and_raw_in_the_result(guest_world: GuestWorld) -> None:
    guest_world.write("known", b"\x1b[31mout\x1b[0m\n")
    seen: list[str] = []
    session = await guest_world.guest.session(guest_world.target)
    result = await session.run(
        ["cat", guest_world.at("known"), guest_world.at("missing")], on_output=seen.append
    )  # fmt: skip
    assert result.stdout == "\x1b[31mout\x1b[0m\n"
    assert sorted("".join(seen).splitlines()) == [result.stderr.rstrip(), "out"]


async def test_bytes_that_are_no_text_are_replaced_in_the_result(guest_world: GuestWorld) -> None:
    guest_world.write("known", b"a\xffb\xc3")
    result = await (await guest_world.guest.session(guest_world.target)).run(["cat", guest_world.at("known")])
    assert result.stdout == "a\ufffdb\ufffd"


async def test_an_argument_arrives_as_it_is_whatever_it_contains(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    for name in ODD_NAMES:
        content = f"of {name}".encode()
        assert (await session.run(["dd", f"of={guest_world.at(name)}", "status=none"], stdin=content)).ok
        assert guest_world.read(name) == content
        assert (await session.run(["cat", guest_world.at(name)])).stdout == content.decode()


async def test_standard_input_of_several_megabytes_arrives_whole(guest_world: GuestWorld) -> None:
    data = bytes(range(256)) * 12_000
    session = await guest_world.guest.session(guest_world.target)
    assert (await session.run(["dd", f"of={guest_world.at('bundle')}", "status=none"], stdin=data)).ok
    assert guest_world.read("bundle") == data


async def test_a_program_that_does_not_read_its_input_is_no_problem(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    assert (await session.run(["true"], stdin=b"x" * 3_000_000)).ok


async def test_a_program_without_input_sees_its_end_at_once(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    result = await session.run(["cat"], timeout_s=10)
    assert (result.ok, result.stdout) == (True, "")


async def test_a_program_that_neither_reads_nor_ends_does_not_hold_its_caller(guest_world: GuestWorld) -> None:
    guest_world.write("log", b"so far\n")
    session = await guest_world.guest.session(guest_world.target)
    with pytest.raises(OutcomeUnknown):
        await session.run(["tail", "-c", "+1", "-F", guest_world.at("log")], stdin=b"x" * 5_000_000, timeout_s=0.1)
    assert (await session.run(["true"])).ok


@pytest.mark.parametrize("argv", [[], ["-oProxyCommand=x"], ["cat", "a\0b"]], ids=["nothing", "option", "nul"])
async def test_what_is_no_command_is_not_sent(guest_world: GuestWorld, argv: list[str]) -> None:
    session = await guest_world.guest.session(guest_world.target)
    with pytest.raises(ValueError, match="not a remote command"):
        await session.run(argv)
    with pytest.raises(ValueError, match="not a remote command"):
        async with session.stream(argv):
            pass


async def test_sudo_is_asked_for_without_a_prompt(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    plain = await session.run(["id", "-u"])
    assert plain.stdout.strip().isdigit()
    assert (await session.run(["id", "-u"], sudo=True)).stdout == f"{guest_world.root_uid}\n"


async def test_five_megabytes_of_output_are_seen_whole_and_kept_up_to_the_limit(guest_world: GuestWorld) -> None:
    guest_world.write("big", b"0123456789abcde\n" * 327_680)
    seen = 0

    def count(text: str) -> None:
        nonlocal seen
        seen += len(text)

    session = await guest_world.guest.session(guest_world.target)
    result = await session.run(["cat", guest_world.at("big")], on_output=count, limit=1000)
    assert result.ok
    assert seen == 5_242_880
    assert len(result.stdout) == 1000
    assert result.stdout.endswith("0123456789abcde\n")
    assert (await session.run(["cat", guest_world.at("big")], limit=0)).stdout == ""


async def test_a_command_that_does_not_end_in_time_has_an_unknown_outcome(guest_world: GuestWorld) -> None:
    guest_world.write("log", b"so far\n")
    session = await guest_world.guest.session(guest_world.target)
    with pytest.raises(OutcomeUnknown, match="tail -c") as unknown:
        await session.run(["tail", "-c", "+1", "-F", guest_world.at("log")], timeout_s=0.3)
    assert unknown.value.evidence == ("so far",)
    assert session.alive
    assert (await session.run(["true"])).ok


async def test_twenty_commands_at_once_share_one_connection(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    async with asyncio.TaskGroup() as group:
        commands = [group.create_task(session.run(["cat"], stdin=str(number).encode())) for number in range(20)]
    assert [command.result().stdout for command in commands] == [str(number) for number in range(20)]
    assert guest_world.logins() == 1


async def test_an_error_of_the_sink_reaches_the_caller(guest_world: GuestWorld) -> None:
    def full(text: str) -> None:
        raise OSError(28, f"no space left for {len(text)} characters")

    guest_world.write("log", b"out\n")
    session = await guest_world.guest.session(guest_world.target)
    for argv in (["cat", guest_world.at("log")], ["tail", "-c", "+1", "-F", guest_world.at("log")]):
        with pytest.raises(OSError, match="no space left"):
            await session.run(argv, on_output=full)
    assert (await session.run(["true"])).ok


async def test_one_connection_serves_everybody_and_a_fresh_one_is_really_new(guest_world: GuestWorld) -> None:
    async with asyncio.TaskGroup() as group:
        sessions = [group.create_task(guest_world.guest.session(guest_world.target)) for _ in range(5)]
    assert guest_world.logins() == 1
    assert (await sessions[0].result().run(["true"])).ok
    fresh = await guest_world.guest.fresh_session(guest_world.target)
    assert guest_world.logins() == 2
    assert (await fresh.run(["true"])).ok
    assert (await (await guest_world.guest.session(guest_world.target)).run(["true"])).ok
    assert guest_world.logins() == 2


async def test_a_fresh_session_does_not_cut_what_runs_on_the_old_one(guest_world: GuestWorld) -> None:
    guest_world.write("log", b"first\n")
    old = await guest_world.guest.session(guest_world.target)
    async with old.stream(["tail", "-c", "+1", "-F", guest_world.at("log")]) as chunks:
        assert await anext(chunks) == "first\n"
        fresh = await guest_world.guest.fresh_session(guest_world.target)
        assert (await fresh.run(["true"])).ok
        guest_world.write("log", b"second\n")
        assert await anext(chunks) == "second\n"


async def test_the_old_connection_is_closed_once_nothing_runs_on_it(guest_world: GuestWorld) -> None:
    old = await guest_world.guest.session(guest_world.target)
    await guest_world.guest.fresh_session(guest_world.target)
    async with asyncio.timeout(10):
        while old.alive:  # noqa: ASYNC110 - a connection ends in a moment of its own
            await asyncio.sleep(0.001)
    assert (await old.run(["true"])).end is End.LOST


@pytest.mark.parametrize("pinned", ["", "ssh-ed25519 garbage", another_key()], ids=["none", "garbage", "another"])
async def test_to_a_host_that_does_not_prove_its_key_no_login_is_tried(guest_world: GuestWorld, pinned: str) -> None:
    target = replace(guest_world.target, host_key=pinned)
    for opening in (guest_world.guest.session, guest_world.guest.fresh_session):
        with pytest.raises(Refused) as refusal:
            await opening(target)
        assert "dns01" in refusal.value.what
        assert refusal.value.code == ("PVX0611" if pinned.startswith("ssh-ed25519 AAAA") else "PVX0613")
    assert guest_world.logins() == 0


async def test_a_followed_file_comes_in_chunks_until_the_context_ends(guest_world: GuestWorld) -> None:
    guest_world.write("log", b"first\n")
    session = await guest_world.guest.session(guest_world.target)
    seen = ""
    async with session.stream(["tail", "-c", "+1", "-F", guest_world.at("log")], sudo=True) as chunks:
        async for chunk in chunks:
            seen += chunk
            if seen == "first\n":
                guest_world.write("log", "zweite é\n".encode())
            if "zweite" in seen:
                break
    assert seen == "first\nzweite é\n"
    assert (await session.run(["true"])).ok


async def test_following_goes_on_at_a_byte_offset(guest_world: GuestWorld) -> None:
    guest_world.write("log", "é 12345".encode())
    session = await guest_world.guest.session(guest_world.target)
    async with session.stream(["tail", "-c", "+4", "-F", guest_world.at("log")]) as chunks:
        assert await anext(chunks) == "12345"
    result = await session.run(["tail", "-c", "+8", guest_world.at("log")])
    assert result.stdout == "5"


async def test_a_stream_of_a_command_that_ends_gives_all_of_its_output_and_ends(guest_world: GuestWorld) -> None:
    guest_world.write("big", b"all\n" * 500_000)
    session = await guest_world.guest.session(guest_world.target)
    async with session.stream(["cat", guest_world.at("big")]) as chunks:
        assert sum([len(chunk) async for chunk in chunks]) == 2_000_000
    assert session.alive


async def test_a_stream_that_nobody_reads_on_ends_with_its_context(guest_world: GuestWorld) -> None:
    guest_world.write("big", b"all\n" * 500_000)
    session = await guest_world.guest.session(guest_world.target)
    async with session.stream(["cat", guest_world.at("big")]) as chunks:
        assert (await anext(chunks)).startswith("all\n")
    assert (await session.run(["true"])).ok


async def test_after_close_a_new_session_can_be_opened(guest_world: GuestWorld) -> None:
    first = await guest_world.guest.session(guest_world.target)
    await guest_world.guest.close()
    assert not first.alive
    assert (await first.run(["true"])).end is End.LOST
    second = await guest_world.guest.session(guest_world.target)
    assert (await second.run(["true"])).ok
    assert guest_world.logins() == 2


async def test_a_closed_port_is_unreachable_for_a_fresh_session_only(guest_world: GuestWorld) -> None:
    session = await guest_world.guest.session(guest_world.target)
    found = await guest_world.guest.reachable(guest_world.target, timeout_s=5)
    assert found is not None
    assert 0 <= found < 5
    await guest_world.close_port()
    with pytest.raises(Unreachable, match="dns01"):
        await guest_world.guest.fresh_session(guest_world.target)
    assert await guest_world.guest.reachable(guest_world.target, timeout_s=5) is None
    assert (await session.run(["true"])).ok
    assert (await (await guest_world.guest.session(guest_world.target)).run(["true"])).ok
    assert guest_world.logins() == 1
