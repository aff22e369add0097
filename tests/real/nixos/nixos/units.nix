# systemd.services as a directory of unit files, with the keys that tell switch-to-configuration what to do about a change.
{ lib, pkgs, services }:
let
  shown = value: if value == true then "true" else if value == false then "false" else toString value;

  section =
    name: values:
    "[${name}]\n"
    + lib.concatStringsSep "" (
      builtins.concatLists (
        builtins.attrValues (
          builtins.mapAttrs (
            key: value:
            if value == null then
              [ ]
            else
              map (one: "${key}=${shown one}\n") (if key == "After" || key == "Before" || key == "Wants" || key == "Requires" then [ (lib.concatStringsSep " " value) ] else lib.toList value)
          ) values
        )
      )
    );

  list = name: values: lib.optionalAttrs (values != [ ]) { ${name} = values; };

  unit =
    name: it:
    let
      path = lib.concatStringsSep ":" (map (package: "${package}/bin") (it.path or [ ]) ++ [ "/run/current-system/sw/bin" "/usr/bin" "/bin" "/usr/sbin" "/sbin" ]);
      environment = { PATH = path; } // (it.environment or { });
      script = pkgs.writeScript "unit-script-${name}" "#!/bin/sh\nset -e\n${it.script}";
    in
    section "Unit" (
      { Description = it.description or name; }
      // list "After" (it.after or [ ])
      // list "Before" (it.before or [ ])
      // list "Wants" (it.wants or [ ])
      // list "Requires" (it.requires or [ ])
      // lib.optionalAttrs (it ? startLimitIntervalSec) { StartLimitIntervalSec = it.startLimitIntervalSec; }
      // (it.unitConfig or { })
      // lib.optionalAttrs (it ? restartTriggers) { X-Restart-Triggers = lib.concatStringsSep " " (map toString it.restartTriggers); }
    )
    + section "Service" (
      { Environment = builtins.attrValues (builtins.mapAttrs (key: value: "\"${key}=${value}\"") environment); }
      // lib.optionalAttrs (it ? script) { ExecStart = "${script}"; }
      // (it.serviceConfig or { })
      // lib.optionalAttrs (!(it.restartIfChanged or true)) { X-RestartIfChanged = false; }
      // lib.optionalAttrs (it.reloadIfChanged or false) { X-ReloadIfChanged = true; }
      // lib.optionalAttrs (!(it.stopIfChanged or true)) { X-StopIfChanged = false; }
    );

  # In a folder, as NixOS has it: a link to a file of another name would be an alias to systemd.
  file = name: text: pkgs.run "unit-${name}.service" "busybox mkdir $out; printf '%s' \"$text\" >$out/${name}.service" { inherit text; };

  wanted =
    kind: field: name: it:
    map (target: "busybox mkdir -p $out/${target}.${kind}; busybox ln -s ../${name}.service $out/${target}.${kind}/") (it.${field} or [ ]);

  lines = builtins.attrValues (
    builtins.mapAttrs (
      name: it:
      lib.concatStringsSep "\n" (
        [ "busybox ln -s ${file name (unit name it)}/${name}.service $out/${name}.service" ]
        ++ wanted "wants" "wantedBy" name it
        ++ wanted "requires" "requiredBy" name it
      )
    ) services
  );
in
pkgs.run "system-units" ''
  busybox mkdir -p $out
  busybox ln -s /lib/systemd/system/multi-user.target $out/default.target
  # What Debian starts by itself and a server of this fleet does not have.
  for name in getty@.service console-getty.service systemd-networkd.service apt-daily.timer apt-daily-upgrade.timer ssh.service ssh.socket \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service e2scrub_reap.service e2scrub_all.timer \
    dpkg-db-backup.timer nix-daemon.service nix-daemon.socket nftables.service; do
    busybox ln -s /dev/null $out/$name
  done
  ${lib.concatStringsSep "\n" lines}
'' { }
