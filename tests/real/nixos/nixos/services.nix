# The services of the starter fleet as units, in the shape that NixOS gives them: what restarts, reloads or stays is the same,
# what runs is Debian's sshd, nftables and iproute2, and for the rest something that answers on the port.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkDefault mkIf;
  sshd = config.services.openssh;
  daemon = package: {
    wantedBy = [ "multi-user.target" ];
    after = [ "network.target" ];
    serviceConfig = {
      ExecStart = mkDefault (lib.getExe package);
      Restart = mkDefault "always";
    };
  };
  keys = pkgs.writeScript "sshd-keygen" ''
    #!/bin/sh
    [ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
  '';
  ports = config.networking.firewall.allowedTCPPorts ++ (if sshd.enable && sshd.openFirewall then sshd.ports else [ ]);
  rules = pkgs.writeText "firewall.nft" ''
    table inet nixos-fw
    delete table inet nixos-fw
    table inet nixos-fw {
      chain input {
        type filter hook input priority 0; policy drop;
        iif lo accept
        ct state established,related accept
        meta l4proto { 1, 58 } accept
        tcp dport { ${lib.concatStringsSep ", " (map toString ports)} } accept
        ${config.networking.firewall.extraInputRules}
      }
    }
  '';
in
{
  services.openssh = {
    enable = mkDefault false;
    ports = mkDefault [ 22 ];
    openFirewall = mkDefault true;
    extraConfig = mkDefault "";
  };
  services.cloud-init.settings.ssh_deletekeys = mkDefault true;
  services.unbound.enable = mkDefault false;
  services.litellm.enable = mkDefault false;
  services.litellm.openFirewall = mkDefault false;
  services.harmonia.enable = mkDefault false;
  services.qemuGuest.enable = mkDefault false;
  virtualisation.docker.enable = mkDefault false;
  networking.firewall = {
    enable = mkDefault true;
    extraInputRules = mkDefault "";
    allowedTCPPorts = if config.services.litellm.openFirewall then [ 4000 ] else [ ];
  };
  security.sudo.wheelNeedsPassword = mkDefault true;
  system.activationScripts = {
    extra = mkDefault "";
  };

  systemd.services = {
    sshd-keygen = mkIf sshd.enable {
      description = "SSH Host Keys Generation";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${keys}";
      };
    };
    sshd = mkIf sshd.enable {
      description = "SSH Daemon";
      wantedBy = [ "multi-user.target" ];
      wants = [ "sshd-keygen.service" ];
      after = [
        "network.target"
        "sshd-keygen.service"
      ];
      stopIfChanged = false;
      restartTriggers = [ config.environment.etc."ssh/sshd_config".source ];
      serviceConfig = {
        # Debian 12's sshd reads its keys at each connection; since OpenSSH 9.8 those count that it was started with (sshd.c,
        # send_rexec_state), so this one is given a copy.
        ExecStartPre = "/bin/cp /etc/ssh/ssh_host_ed25519_key /run/sshd/host_key";
        ExecStart = mkDefault "/usr/sbin/sshd -D -f /etc/ssh/sshd_config";
        RuntimeDirectory = "sshd";
        RuntimeDirectoryPreserve = true;
        KillMode = "process";
        Restart = "always";
      };
    };
    firewall = mkIf config.networking.firewall.enable {
      description = "Firewall";
      wantedBy = [ "sysinit.target" ];
      after = [ "systemd-modules-load.service" ];
      unitConfig.DefaultDependencies = false;
      reloadIfChanged = true;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "/usr/sbin/nft -f ${rules}";
        ExecReload = "/usr/sbin/nft -f ${rules}";
        ExecStop = "/usr/sbin/nft delete table inet nixos-fw";
      };
    };
    # The ssh module, which makes a new instance's host keys anew, runs in cloud-config.service, and sshd does not wait for that
    # (nixpkgs: nixos/modules/services/system/cloud-init.nix).
    cloud-init = mkIf config.services.cloud-init.enable {
      description = "Initial cloud-init job";
      wantedBy = [ "multi-user.target" ];
      before = [ "network.target" "sshd.service" "sshd-keygen.service" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${config.system.build.cloudInit}/bin/cloud-init init";
      };
    };
    cloud-config = mkIf config.services.cloud-init.enable {
      description = "Apply the settings specified in cloud-config";
      environment.DELETE_KEYS = if config.services.cloud-init.settings.ssh_deletekeys then "yes" else "no";
      wantedBy = [ "multi-user.target" ];
      after = [ "cloud-init.service" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${config.system.build.cloudInit}/bin/cloud-init modules";
      };
    };
    qemu-guest-agent = mkIf config.services.qemuGuest.enable (daemon pkgs.qemu-ga);
    unbound = mkIf config.services.unbound.enable (daemon pkgs.unbound);
    docker = mkIf config.virtualisation.docker.enable (daemon pkgs.docker);
    harmonia = mkIf config.services.harmonia.enable (daemon pkgs.harmonia);
    litellm = mkIf config.services.litellm.enable (daemon pkgs.litellm);
  };

  environment.etc = {
    "ssh/sshd_config".source = pkgs.writeText "sshd_config" ''
      ${lib.concatStringsSep "\n" (map (port: "Port ${toString port}") sshd.ports)}
      HostKey /run/sshd/host_key
      AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u
      UsePAM no
      PasswordAuthentication no
      KbdInteractiveAuthentication no
      PermitRootLogin no
      PidFile none
      SetEnv PATH=/run/current-system/sw/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
      ${sshd.extraConfig}
    '';
    "nix/nix.conf".source = pkgs.writeText "nix.conf" ''
      experimental-features = nix-command flakes
      substituters =
      sandbox = false
      build-users-group =
      fsync-metadata = false
      build-poll-interval = 1
    '';
  };
}
