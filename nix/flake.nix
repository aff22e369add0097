# One system per file in hosts/: hosts/dns01.nix is nixosConfigurations.dns01. Nothing else has to be edited for a new host.
# The flake stands in a directory of the fleet repository, so from a clone: nix build '.?dir=nix#nixosConfigurations.dns01…'
{
  description = "The machines of this fleet";

  # The branch names the release; flake.lock pins the commit. `nix flake update` on a topic branch moves it.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { self, nixpkgs }:
    let
      # Links every generation to the commit it was built from; `nixos-version --configuration-revision` shows it.
      revision = {
        system.configurationRevision = self.rev or null;
      };

      system = file: nixpkgs.lib.nixosSystem { modules = [ file revision ]; };

      hostOf = file: builtins.match "([a-z][a-z0-9-]*)\\.nix" file;

      hostFiles = builtins.filter (file: hostOf file != null) (builtins.attrNames (builtins.readDir ./hosts));

      hosts = builtins.listToAttrs (
        map (file: {
          name = builtins.head (hostOf file);
          value = system (./hosts + "/${file}");
        }) hostFiles
      );
    in
    {
      nixosConfigurations = hosts;

      # What template 8100 is installed from; not a host, so it stands apart. Build nixosTemplate.config.system.build.toplevel.
      nixosTemplate = system ./template.nix;
    };
}
