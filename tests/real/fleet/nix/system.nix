# As much of a module system as host and hardware files need, and a system with the files that pvenix looks at.
{ revision }:
file:
let
  lib.mkDefault = value: { mkDefault = value; };

  isDefault = value: builtins.isAttrs value && value ? mkDefault;

  merge =
    old: new:
    if isDefault new then
      old
    else if isDefault old then
      new
    else if builtins.isAttrs old && builtins.isAttrs new then
      old // builtins.mapAttrs (name: value: if old ? ${name} then merge old.${name} value else value) new
    else if builtins.isList old && builtins.isList new then
      old ++ new
    else if old == new then
      old
    else
      throw "The option has conflicting definition values: ${builtins.toJSON [ old new ]}";

  read =
    path:
    let
      module = import path;
      value =
        if builtins.isFunction module then
          module {
            inherit config lib;
            pkgs = { };
            modulesPath = ./modules-path;
          }
        else
          module;
      own = builtins.removeAttrs value [ "imports" ];
    in
    builtins.foldl' merge own (map read (value.imports or [ ]));

  plain =
    value:
    if isDefault value then
      value.mkDefault
    else if builtins.isAttrs value then
      builtins.mapAttrs (_: plain) value
    else
      value;

  config = plain (read file);

  # Everything that runs in a build; the file has to be called busybox, which tells its programs apart by name.
  tools = ./tools;

  run =
    name: script: variables:
    derivation (
      {
        inherit name;
        system = config.nixpkgs.hostPlatform;
        builder = "${tools}/busybox";
        args = [ "sh" "-euc" script ];
        PATH = tools;
      }
      // variables
    );

  package =
    name:
    { version, build ? "", size ? 0 }:
    run "${name}-${version}" ''
      busybox mkdir -p $out/bin
      ${build}
      busybox dd if=/dev/zero of=$out/weight bs=1024 count=${toString size} 2>/dev/null
      echo "echo ${name} ${version}" >$out/bin/${name}
    '' { };

  packages = builtins.attrValues (builtins.mapAttrs package (config.environment.packages or { }));

  versions = {
    nixosVersion = "25.11.test";
    nixpkgsRevision = "0000000000000000000000000000000000000000";
  } // (if revision == null then { } else { configurationRevision = revision; });

  toplevel = run "nixos-system-${config.networking.hostName}-${versions.nixosVersion}" ''
    busybox mkdir -p $out/bin $out/sw/bin $out/etc
    for file in ${./files}/*; do
      busybox sed "s|@busybox@|$PATH/busybox|; s|@system@|$out|" $file >$out/sw/bin/''${file##*/}
    done
    busybox mv $out/sw/bin/switch-to-configuration $out/bin
    printf '%s\n' "#!$PATH/busybox sh" "echo '$versions'" >$out/sw/bin/nixos-version
    busybox chmod 555 $out/bin/* $out/sw/bin/*
    printf '%s' "$nixosVersion" >$out/nixos-version
    printf '%s' "$system" >$out/system
    echo "$packages" >$out/etc/packages
  '' {
    inherit packages;
    inherit (versions) nixosVersion;
    versions = builtins.toJSON versions;
  };
in
{
  config = config // {
    system.build.toplevel = toplevel;
  };
}
