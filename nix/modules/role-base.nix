# Housekeeping that every server wants and that a host may overrule.
{ lib, ... }:

{
  # Old generations are what a rollback goes back to: keep a month of them, and nothing is deleted while it is in use.
  nix.gc = {
    automatic = lib.mkDefault true;
    dates = lib.mkDefault "weekly";
    randomizedDelaySec = "6h";
    options = lib.mkDefault "--delete-older-than 30d";
  };

  services.journald.extraConfig = ''
    SystemMaxUse=1G
    MaxRetentionSec=90day
  '';

  # Documentation is half a gigabyte of every closure and nobody reads it here.
  documentation.nixos.enable = lib.mkDefault false;
}
