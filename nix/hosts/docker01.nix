{
  imports = [
    ../configuration.nix
    ../hardware/docker01-hw.nix
    ../modules/role-base.nix
    ../modules/role-docker.nix
  ];

  networking.hostName = "docker01";
}
