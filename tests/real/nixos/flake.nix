# Takes the place of the starter fleet's flake.nix where there is no network: the same attributes, but systems come from
# ./nixos, a module system and units of a page each, in place of nixpkgs. Every other file of the fleet stays as it is.
{
  description = "The machines of this fleet, on the real lane";

  outputs =
    { self }:
    let
      revision = {
        system.configurationRevision = self.rev or null;
      };

      nixos = import ./nixos/system.nix;

      system = file: nixos [ file revision ];

      hostOf = file: builtins.match "([a-z][a-z0-9-]*)\\.nix" file;

      hostFiles = builtins.filter (file: hostOf file != null) (builtins.attrNames (builtins.readDir ./hosts));
    in
    {
      nixosConfigurations = builtins.listToAttrs (
        map (file: {
          name = builtins.head (hostOf file);
          value = system (./hosts + "/${file}");
        }) hostFiles
      );
      nixosTemplate = system ./template.nix;
    };
}
