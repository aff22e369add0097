{
  imports = [
    ../configuration.nix
    ../hardware/nix-cache01-hw.nix
    ../modules/role-base.nix
    ../modules/role-nix-cache.nix
  ];

  networking.hostName = "nix-cache01";
}
