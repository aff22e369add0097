# Shared by all machines: how people and pvenix get in, and what Proxmox needs to see of the guest.
{ config, lib, pkgs, ... }:

let
  site = import ./site.nix;
in
{
  time.timeZone = "Europe/Amsterdam";
  networking.domain = site.domain;
  networking.hosts = site.controlPlane;

  users.users.tappaas = {
    isNormalUser = true;
    description = "Administration and pvenix";
    extraGroups = [ "wheel" ];
    # Keys arrive by cloud-init, from bootstrap.authorized_keys in the inventory.
  };
  security.sudo.wheelNeedsPassword = false;

  services.openssh = {
    enable = true;
    settings = {
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = "no";
    };
  };
  networking.firewall.enable = true;

  # Proxmox: guest agent, and a console that works without a display (`qm terminal`).
  services.qemuGuest.enable = true;
  boot.kernelParams = [
    "console=tty0"
    "console=ttyS0,115200"
  ];

  # Cloud-init owns the address, before and after registration, so that it is written in one place: the inventory. The generated
  # hardware file asks for DHCP everywhere by default; both at once would fight over the interface.
  services.cloud-init = {
    enable = true;
    network.enable = true;
    settings = {
      # Proxmox delivers a NoCloud drive; probing every cloud's metadata service instead costs minutes at boot.
      datasource_list = [
        "NoCloud"
        "ConfigDrive"
      ];
      # A clone makes its host keys at its first boot, and they stay. Cloud-init would make them anew after every change of its
      # drive, and late: sshd (since OpenSSH 9.8) goes on showing the keys that it was started with, until its next restart.
      ssh_deletekeys = false;
      # Once a host file gives the name, cloud-init leaves it alone.
      preserve_hostname = config.networking.hostName != "";
    };
  };
  networking.useDHCP = false;

  nix.settings = {
    experimental-features = [
      "nix-command"
      "flakes"
    ];
    # Root alone: from a trusted user the store would take what nobody signed.
    trusted-users = [ "root" ];
  };

  environment.systemPackages = [ pkgs.git ];

  # The key with which this guest may push registration/<itself> and nothing else. pvenix reads the public half through the guest
  # agent. The template must not contain one: every clone makes its own.
  systemd.services.fleet-key = {
    description = "Key of this machine for the fleet repository";
    wantedBy = [ "multi-user.target" ];
    unitConfig.ConditionPathExists = "!/var/lib/fleet/id_ed25519";
    serviceConfig = {
      Type = "oneshot";
      StateDirectory = "fleet";
      StateDirectoryMode = "0700";
      ExecStart = "${lib.getExe' pkgs.openssh "ssh-keygen"} -q -t ed25519 -N '' -C fleet -f /var/lib/fleet/id_ed25519";
    };
  };

  programs.ssh.knownHosts = lib.mkIf (site.repository.hostKey != null) {
    fleet-repository = {
      hostNames = [ site.repository.server ];
      publicKey = site.repository.hostKey;
    };
  };
}
