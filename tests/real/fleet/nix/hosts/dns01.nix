{
  imports = [
    ../configuration.nix
    ../hardware/dns01-hw.nix
    ../modules/role-base.nix
  ];

  networking.hostName = "dns01";
}
