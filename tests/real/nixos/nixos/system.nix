# Modules in, a system out: { config.system.build.toplevel = a store path that boots, activates and switches itself }.
modules:
let
  lib = import ./lib.nix;

  load =
    module:
    let
      value = if builtins.isPath module || builtins.isString module then import module else module;
      found = if builtins.isFunction value then value { inherit config lib pkgs; modulesPath = ./modules; } else value;
    in
    builtins.concatMap load (found.imports or [ ]) ++ [ (found.config or (builtins.removeAttrs found [ "imports" ])) ];

  build.system.build = { inherit cloudInit nixos-generate-config toplevel; };

  defaults = {
    networking.hostName = lib.mkDefault "";
    nixpkgs.hostPlatform = lib.mkOverride 1500 builtins.currentSystem or "x86_64-linux";
    system.configurationRevision = lib.mkOverride 1500 null;
    services.cloud-init.enable = lib.mkDefault false;
    boot.initrd.availableKernelModules = lib.mkDefault [ ];
  };

  config = lib.merge [ ] (builtins.concatMap load ([ ./services.nix defaults build ] ++ modules));

  pkgs = import ./packages.nix {
    inherit lib;
    platform = config.nixpkgs.hostPlatform;
    tools = ./tools;
  };

  program =
    name: file:
    pkgs.run name
      ''
        busybox mkdir -p $out/bin
        busybox sed "s|@busybox@|$PATH/busybox|g" ${file} >$out/bin/${name}
        busybox chmod 555 $out/bin/${name}
      ''
      { };
  cloudInit = program "cloud-init" ./programs/cloud-init;
  nixos-generate-config = program "nixos-generate-config" ./programs/nixos-generate-config;

  units = import ./units.nix { inherit lib pkgs; services = lib.clean config.systemd.services; };

  users = lib.clean (config.users.users or { });

  version = "25.11.real";
  versions = {
    nixosVersion = version;
    nixpkgsRevision = "0000000000000000000000000000000000000000";
  } // lib.optionalAttrs (config.system.configurationRevision != null) { inherit (config.system) configurationRevision; };

  etc = builtins.mapAttrs (_: entry: entry.source) (lib.clean config.environment.etc);

  listed = with pkgs; [ coreutils curl git nix openssh systemd cloudInit nixos-generate-config ] ++ config.environment.systemPackages;

  toplevel =
    pkgs.run "nixos-system-${if config.networking.hostName == "" then "unnamed" else config.networking.hostName}-${version}"
      ''
        busybox mkdir -p $out/bin $out/sw/bin $out/etc/systemd
        for package in $packages; do
          for file in $package/bin/*; do busybox ln -sf $file $out/sw/bin/; done
        done
        printf '%s\n' "#!$PATH/busybox sh" "echo '$versions'" >$out/sw/bin/nixos-version
        for name in switch-to-configuration activate init install-bootloader; do
          busybox sed "s|@busybox@|$PATH/busybox|g; s|@system@|$out|g" ${./programs}/$name >$out/bin/$name
        done
        busybox mv $out/bin/activate $out/bin/init $out
        busybox chmod 555 $out/bin/* $out/activate $out/init $out/sw/bin/nixos-version
        busybox ln -s $units $out/etc/systemd/system
        ${builtins.concatStringsSep "\n" (
          builtins.attrValues (builtins.mapAttrs (name: source: "busybox mkdir -p $out/etc/${dirOf name}; busybox ln -s ${source} $out/etc/${name}") etc)
        )}
        printf '%s\n' "$users" >$out/users
        printf '%s\n' "$hostName" >$out/etc/hostname
        printf '%s\n' 'Defaults secure_path="/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin"' "$wheel" >$out/wheel
        printf '%s\n' "$extra" >$out/activate-extra
        printf '%s' "$version" >$out/nixos-version
        printf '%s' "$system" >$out/system
        for name in kernel kernel-modules; do busybox ln -s $kernel $out/$name; done
        busybox ln -s $initrd $out/initrd
      ''
      {
        inherit units version;
        inherit (config.networking) hostName;
        packages = listed;
        versions = builtins.toJSON versions;
        extra = config.system.activationScripts.extra;
        wheel = if config.security.sudo.wheelNeedsPassword then "%wheel ALL=(ALL:ALL) ALL" else "%wheel ALL=(ALL:ALL) NOPASSWD: ALL";
        kernel = pkgs.writeText "linux-6.12.0" "kernel";
        # Another one where other modules are declared, as that of a host after that of its template (nixpkgs: stage-1.nix).
        initrd = pkgs.writeText "initrd-linux-6.12.0" (builtins.toString (builtins.sort builtins.lessThan config.boot.initrd.availableKernelModules));
        # name, home, shell, groups, and whether keys that cloud-init wrote still let in
        users = lib.concatStringsSep "\n" (
          builtins.attrValues (
            builtins.mapAttrs (
              name: user:
              "${name} ${user.home or "/home/${name}"} ${if user ? shell then "/bin/bash" else "/bin/bash"} ${lib.concatStringsSep "," (user.extraGroups or [ ])}"
            ) users
          )
        );
      };
in
{
  config = config;
}
