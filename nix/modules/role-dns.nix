# A validating resolver for the site's networks.
{ ... }:

let
  site = import ../site.nix;
in
{
  services.unbound = {
    enable = true;
    settings.server = {
      interface = [
        "0.0.0.0"
        "::0"
      ];
      access-control = map (network: "${network} allow") (site.clients ++ [ "127.0.0.0/8" ]) ++ [ "::1 allow" ];
      # Answers with private addresses from outside are an attack on what trusts names (DNS rebinding), except for our own domain.
      private-address = [
        "10.0.0.0/8"
        "172.16.0.0/12"
        "192.168.0.0/16"
      ];
      private-domain = site.domain;
      prefetch = true;
      hide-identity = true;
      hide-version = true;
    };
  };

  networking.firewall.allowedTCPPorts = [ 53 ];
  networking.firewall.allowedUDPPorts = [ 53 ];
}
