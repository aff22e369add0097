{ lib, ... }:

{
  networking.hostName = lib.mkDefault "";
  nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";
  environment.packages.greeter.version = lib.mkDefault "1.0";
}
