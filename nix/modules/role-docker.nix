# A container host. Ports that containers publish are opened by docker itself, past the firewall below: publish on 127.0.0.1 or on one
# address where that is not meant. Nobody is in the group `docker`, which is root by another name; use sudo.
{ lib, ... }:

{
  virtualisation.docker = {
    enable = true;
    autoPrune = {
      enable = lib.mkDefault true;
      dates = "weekly";
    };
  };
}
