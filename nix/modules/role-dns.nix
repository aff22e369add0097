# A validating resolver for the site's networks; the site's own names it asks of the firewall.
{ ... }:

let
  site = import ../site.nix;
in
{
  services.unbound = {
    enable = true;
    settings.forward-zone = [
      {
        name = "${site.domain}.";
        forward-addr = site.dns.upstream;
      }
    ];
    settings.server = {
      interface = [
        "0.0.0.0"
        "::0"
      ];
      access-control = map (network: "${network} allow") (site.dns.clients ++ [ "127.0.0.0/8" ]) ++ [ "::1 allow" ];
      # Answers with private addresses from outside are an attack on what trusts names (DNS rebinding), except for our own domain.
      private-address = [
        "10.0.0.0/8"
        "172.16.0.0/12"
        "192.168.0.0/16"
      ];
      private-domain = site.domain;
      # The public root says, signed, that our domain does not exist.
      domain-insecure = site.domain;
      prefetch = true;
      hide-identity = true;
      hide-version = true;
    };
  };

  # Comes with systemd-networkd and would hold port 53 on loopback; this machine asks its own unbound instead.
  services.resolved.enable = false;

  networking.firewall.allowedTCPPorts = [ 53 ];
  networking.firewall.allowedUDPPorts = [ 53 ];
}
