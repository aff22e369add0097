{
  imports = [
    ../configuration.nix
    ../hardware/dns01-hw.nix
    ../modules/role-base.nix
    ../modules/role-dns.nix
  ];

  networking.hostName = "dns01";
}
