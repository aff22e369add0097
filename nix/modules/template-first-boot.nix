# First boot without pvenix at the wheel: a fresh clone describes its hardware and pushes registration/<host> by itself. It waits
# for its key to be authorised, and a person or pvenix reviews what it pushed. A registered host has a name and no such unit.
{ config, lib, pkgs, ... }:

let
  site = import ../site.nix;
  firstBoot = pkgs.writeScriptBin "fleet-first-boot" (builtins.readFile ../files/fleet-first-boot);
in
{
  config = lib.mkIf (config.networking.hostName == "" && site.repository.hostKey != null) {
    systemd.services.fleet-first-boot = {
      description = "Register this machine with the fleet repository";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "cloud-init.service"
        "fleet-key.service"
      ];
      path = [
        config.system.build.nixos-generate-config
        pkgs.git
        pkgs.openssh
      ];
      unitConfig.ConditionPathExists = "!/var/lib/fleet/registered";
      # Until somebody authorises the key, every attempt fails; that may take days, so it never gives up.
      startLimitIntervalSec = 0;
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe firstBoot} ${site.repository.url} ${site.repository.branch} /var/lib/fleet";
        Restart = "on-failure";
        RestartSec = 60;
      };
    };
  };
}
