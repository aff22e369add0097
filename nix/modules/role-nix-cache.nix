# Serves this machine's Nix store to the fleet, signed.
{ pkgs, ... }:

let
  directory = "/var/lib/nix-cache-key";
in
{
  services.harmonia = {
    enable = true;
    signKeyPaths = [ "${directory}/secret" ];
    settings.bind = "[::]:5000";
  };
  networking.firewall.allowedTCPPorts = [ 5000 ];

  # Made once, on the guest. Put the content of `public` into nix.settings.trusted-public-keys of whoever uses the cache.
  systemd.services.nix-cache-key = {
    description = "Signing key of the binary cache";
    requiredBy = [ "harmonia.service" ];
    before = [ "harmonia.service" ];
    unitConfig.ConditionPathExists = "!${directory}/secret";
    path = [ pkgs.nix ];
    script = ''
      umask 077
      mkdir -p ${directory}
      nix-store --generate-binary-cache-key "$(cat /proc/sys/kernel/hostname)-1" ${directory}/secret.new ${directory}/public
      mv ${directory}/secret.new ${directory}/secret
    '';
    serviceConfig.Type = "oneshot";
  };

  # What is collected here has to be built again by everybody.
  nix.gc.options = "--delete-older-than 180d";
}
