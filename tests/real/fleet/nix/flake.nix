# The layout of the starter fleet's flake without nixpkgs: nothing is fetched, everything is built by one static busybox.
{
  description = "A fleet for tests of the real tools";

  outputs =
    { self }:
    let
      hostOf = file: builtins.match "([a-z][a-z0-9-]*)\\.nix" file;
      hostFiles = builtins.filter (file: hostOf file != null) (builtins.attrNames (builtins.readDir ./hosts));
      system = import ./system.nix { revision = self.rev or null; };
    in
    {
      nixosConfigurations = builtins.listToAttrs (
        map (file: {
          name = builtins.head (hostOf file);
          value = system (./hosts + "/${file}");
        }) hostFiles
      );
    };
}
