"""Guests over real SSH: keys, the jump, channels and their exit statuses, cut connections, closed ports, git."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from tests.lab.guest_support import Prepared, flake_of, run
from tests.lab.ssh_support import Net, connection, git, network, write_key

pytestmark = [
    pytest.mark.slow,
]


@pytest.fixture
async def net(tmp_path: Path, prepared: Prepared) -> AsyncIterator[Net]:
    async with network(tmp_path, prepared) as found:
        yield found


async def test_a_command_runs_on_the_guest_behind_the_jump(net: Net) -> None:
    async with net.through_the_jump() as conn:
        ran = await conn.run("hostname")
        assert (ran.stdout, ran.stderr, ran.exit_status) == ("dns01\n", "", 0)
        missing = await conn.run("nope --really")
        assert (missing.stdout, missing.exit_status) == ("", 127)
        assert missing.stderr == "bash: line 1: nope: command not found\n"
        refused = await conn.run("true; true")
        assert (refused.exit_status, "';'" in str(refused.stderr)) == (127, True)


async def test_standard_input_arrives_whole_and_bytes_come_back_unchanged(net: Net) -> None:
    data = bytes(range(256)) * 4096
    async with net.through_the_jump() as conn:
        sent = await conn.run("sudo -n dd of=/tmp/f status=none", input=data, encoding=None)
        assert sent.exit_status == 0
        assert (await conn.run("cat /tmp/f", encoding=None)).stdout == data


async def test_a_key_that_the_drive_does_not_name_does_not_log_in(net: Net, tmp_path: Path) -> None:
    write_key(tmp_path / "stranger")
    with pytest.raises(asyncssh.PermissionDenied):
        async with connection(net.jump, tmp_path / "stranger", port=net.face.jump_port):
            pass
    with pytest.raises(asyncssh.PermissionDenied):
        async with connection(net.jump, net.key, port=net.face.jump_port, user="nobody"):
            pass


async def test_another_host_key_is_noticed_by_the_client(net: Net) -> None:
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with connection(net.guest, net.key, port=net.face.jump_port):
            pass


async def test_nobody_answers_at_an_address_without_a_guest(net: Net) -> None:
    async with connection(net.jump, net.key, port=net.face.jump_port) as jump:
        with pytest.raises(asyncssh.ChannelOpenError):
            await jump.open_connection("10.69.13.99", 22)
        with pytest.raises(asyncssh.ChannelOpenError):
            await jump.open_connection("10.69.13.5", 53)


async def test_a_declared_port_answers_once_the_system_opens_it(net: Net, prepared: Prepared) -> None:
    shutil.copytree(prepared.fleet, net.guest.root / "etc/nixos")
    async with net.through_the_jump() as conn:
        await conn.run(f"sudo -n nix build --out-link /tmp/new '{flake_of(prepared.commit)}'", check=True)
        await conn.run("sudo -n /tmp/new/bin/switch-to-configuration test", check=True)
        reader, writer = await conn.open_connection("127.0.0.1", 53)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


async def test_closing_the_channel_ends_the_program(net: Net) -> None:
    async with net.through_the_jump() as conn:
        process = await conn.create_process("sudo -n tail -c +1 -F /var/log/x")
        await process.stderr.readline()
        (channel,) = net.guest.channels.open
        process.close()
        await process.wait_closed()
        assert (await conn.run("true")).exit_status == 0
        await asyncio.wait((channel,), timeout=5)
        assert channel.cancelled()


async def test_a_cut_connection_has_no_exit_status_and_the_unit_goes_on(net: Net, prepared: Prepared) -> None:
    shutil.copytree(prepared.fleet, net.guest.root / "etc/nixos")
    net.guest.site.faults.arm("ssh-cut-during-activation", "dns01")
    async with net.through_the_jump() as conn:
        await conn.run(f"sudo -n nix build --out-link /tmp/new '{flake_of(prepared.commit)}'", check=True)
        new = net.guest.tree.resolve("/tmp/new")
        waiting = await conn.create_process("sleep 60")
        await conn.run(
            f"sudo -n systemd-run --unit=a --no-block --service-type=exec --remain-after-exit {new}/bin/switch-to-configuration test"
        )
        ended = await waiting.wait()
        assert (ended.exit_status, ended.exit_signal) == (None, None)
    async with net.through_the_jump() as again:
        assert (await again.run("readlink -f /run/current-system")).stdout == f"{new}\n"
        assert (await again.run("systemctl show a.service -p SubState")).stdout == "SubState=exited\n"


async def test_a_cut_connection_leaves_a_build_at_work_and_the_next_one_takes_its_result(
    net: Net, prepared: Prepared
) -> None:
    shutil.copytree(prepared.fleet, net.guest.root / "etc/nixos")
    net.guest.site.time_scale = 0.2
    command = f"sudo -n nix build --json --out-link /tmp/new '{flake_of(prepared.commit)}'"
    async with net.through_the_jump() as conn:
        building = await conn.create_process(command)
        assert "will be built" in await building.stderr.readline()
        net.guest.cut_connections()
        ended = await building.wait()
        assert (ended.exit_status, ended.exit_signal) == (None, None)
    assert len(net.guest.builds) == 1
    async with net.through_the_jump() as again:
        ran = await again.run(command)
        assert (ran.exit_status, ran.stderr, net.guest.builds) == (0, "", {})
        assert net.guest.tree.resolve("/tmp/new") in str(ran.stdout)


async def test_a_closed_port_refuses_new_connections_and_leaves_old_ones(net: Net, prepared: Prepared) -> None:
    shutil.copytree(prepared.fleet, net.guest.root / "etc/nixos")
    net.guest.site.faults.arm("port-closed-by-new-system", "dns01")
    async with net.through_the_jump() as conn:
        old = net.guest.current_path
        await conn.run(f"sudo -n nix build --out-link /tmp/new '{flake_of(prepared.commit)}'", check=True)
        await conn.run("sudo -n /tmp/new/bin/switch-to-configuration test", check=True)
        with pytest.raises((asyncssh.Error, OSError)):
            async with net.through_the_jump():
                pass
        assert (await conn.run("hostname")).stdout == "dns01\n"
        await conn.run(f"sudo -n {old}/bin/switch-to-configuration test", check=True)
    async with net.through_the_jump() as again:
        assert (await again.run("true")).exit_status == 0


async def test_a_reboot_drops_the_connection_and_the_guest_comes_back(net: Net) -> None:
    before = net.guest.boot_id
    async with net.through_the_jump() as conn:
        await conn.run("sudo -n reboot")
        await conn.wait_closed()
    await net.guest.cloud_init_done.wait()
    async with net.through_the_jump() as again:
        assert str((await again.run("cat /proc/sys/kernel/random/boot_id")).stdout).strip() not in ("", before)


async def test_the_user_git_runs_git_only(net: Net) -> None:
    async with connection(net.jump, net.key, port=net.face.jump_port, user="git") as conn:
        ran = await conn.run("cat /etc/hostname")
        assert (ran.exit_status, ran.stderr) == (
            1,
            "fleet: refused: this key is for /srv/git/tappaas-nixos-config.git only\n",
        )
        with pytest.raises(asyncssh.ChannelOpenError):
            await conn.open_connection("10.69.13.5", 22)


async def test_the_operator_clones_pushes_topics_and_forwards_main_only(net: Net, tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert (await git(net, net.key, "clone", "--quiet", net.url, str(work), cwd=tmp_path))[0] == 0
    (work / "new").write_text("x")
    for arguments in (("add", "new"), ("commit", "-qm", "new"), ("push", "-q", "origin", "HEAD:refs/heads/topic/a")):
        status, said = await git(net, net.key, *arguments, cwd=work)
        assert status == 0, said
    assert (await git(net, net.key, "push", "-q", "origin", "HEAD:main", cwd=work))[0] == 0
    status, said = await git(net, net.key, "push", "-q", "--force", "origin", "HEAD~1:main", cwd=work)
    assert (status, "would lose commits" in said) == (1, True)
    counters = net.jump.site.counters
    assert (counters.upload_packs, counters.receive_packs) == (1, 3)


@pytest.mark.parametrize(
    ("branch", "status", "says"),
    [
        ("registration/dns01", 0, ""),
        ("registration/docker01", 1, "dns01 may push registration/dns01 only"),
        ("main", 1, "dns01 may push registration/dns01 only"),
        ("topic/x", 1, "dns01 may push registration/dns01 only"),
    ],
)
async def test_a_guest_pushes_its_own_registration_branch_only(
    net: Net, tmp_path: Path, branch: str, status: int, says: str
) -> None:
    work, key = tmp_path / "work", net.guest.root / "var/lib/fleet/id_ed25519"
    await git(net, key, "clone", "--quiet", net.url, str(work), cwd=tmp_path)
    await git(net, key, "commit", "--allow-empty", "-qm", "new", cwd=work)
    got, said = await git(net, key, "push", "-q", "origin", f"HEAD:refs/heads/{branch}", cwd=work)
    assert (got, says in said) == (status, True)


async def test_a_line_removed_over_ssh_ends_the_right_at_once(net: Net, tmp_path: Path) -> None:
    key = net.guest.root / "var/lib/fleet/id_ed25519"
    assert (await git(net, key, "ls-remote", net.url, cwd=tmp_path))[0] == 0
    async with connection(net.jump, net.key, port=net.face.jump_port) as conn:
        kept = str((await conn.run("sudo -n cat /srv/git/.ssh/authorized_keys")).stdout).splitlines()[0] + "\n"
        await conn.run("sudo -n dd of=/srv/git/.ssh/authorized_keys status=none", input=kept, check=True)
    assert (await git(net, key, "ls-remote", net.url, cwd=tmp_path))[0] == 128


async def test_every_port_is_closed_and_every_client_cut_when_the_face_stops(
    tmp_path: Path, prepared: Prepared
) -> None:
    async with network(tmp_path, prepared) as net:
        ports = [net.face.jump_port, *net.face.ports.values()]
        conn = await asyncssh.connect(
            "127.0.0.1",
            net.face.jump_port,
            username="tappaas",
            client_keys=[str(net.key)],
            known_hosts=None,
            config=None,
        )
    await conn.wait_closed()
    for port in ports:
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)


async def test_running_in_memory_and_over_ssh_gives_the_same(net: Net) -> None:
    async with net.through_the_jump() as conn:
        over = await conn.run("systemctl is-active sshd.service nope.service")
    inside = await run(net.guest, "systemctl", "is-active", "sshd.service", "nope.service")
    assert (over.exit_status, over.stdout, over.stderr) == (inside.status, inside.out, inside.err)
