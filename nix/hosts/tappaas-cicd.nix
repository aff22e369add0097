{
  imports = [
    ../configuration.nix
    ../hardware/tappaas-cicd-hw.nix
    ../modules/role-base.nix
    ../modules/role-cicd.nix
  ];

  networking.hostName = "tappaas-cicd";
}
