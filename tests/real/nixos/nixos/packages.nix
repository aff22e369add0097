# Packages made by one static busybox. What Debian has already is a link into /usr, so that closures stay small and honest.
{ lib, platform, tools }:
let
  run =
    name: script: variables:
    derivation (
      {
        inherit name;
        system = platform;
        builder = "${tools}/busybox";
        args = [ "sh" "-euc" script ];
        PATH = "${tools}";
      }
      // variables
    );

  package =
    pname: version: build:
    run "${pname}-${version}" "busybox mkdir -p $out/bin\n${build}" { inherit tools; } // { inherit pname version; };

  linked = version: programs: pname: package pname version (
    builtins.concatStringsSep "\n" (map (program: "busybox ln -s ${program} $out/bin/${baseNameOf program}") programs)
  );

  script =
    text: pname:
    package pname "25.11" ''
      printf '%s\n' "#!$PATH/busybox sh" ${lib.escapeShellArgs [ text ]} >$out/bin/${pname}
      busybox chmod 555 $out/bin/${pname}
    '';

  # Answers on a port over HTTP and does nothing else: as much of a service as its unit and its health check need.
  service = port: script "mkdir -p /run/empty; exec ${tools}/busybox httpd -f -p ${toString port} -h /run/empty";
in
{
  inherit run tools;

  writeScriptBin =
    name: text:
    run name "busybox mkdir -p $out/bin; printf '%s' \"$text\" >$out/bin/$name; busybox chmod 555 $out/bin/$name" { inherit text; };
  writeText = name: text: run name "printf '%s' \"$text\" >$out" { inherit text; };
  writeScript = name: text: run name "printf '%s' \"$text\" >$out; busybox chmod 555 $out" { inherit text; };
}
// builtins.mapAttrs (pname: make: make pname) {
  bashInteractive = linked "5.2" [ "/bin/bash" ];
  coreutils = linked "9.1" [ "/bin/sleep" "/bin/mv" "/bin/cat" "/bin/df" "/bin/ls" "/usr/bin/readlink" "/usr/bin/test" ];
  curl = linked "7.88" [ "/usr/bin/curl" ];
  git = linked "2.39" [ "/usr/bin/git" "/usr/bin/git-shell" "/usr/bin/git-receive-pack" "/usr/bin/git-upload-pack" ];
  nix = linked "2.8" [ "/usr/bin/nix" "/usr/bin/nix-env" "/usr/bin/nix-store" ];
  openssh = linked "9.2p1" [ "/usr/sbin/sshd" "/usr/bin/ssh" "/usr/bin/ssh-keygen" ];
  openssl = script "${tools}/busybox head -c 24 /dev/urandom | ${tools}/busybox hexdump -e '1/1 \"%02x\"'";
  python3 = script "echo 'no Python here' >&2; exit 1";
  systemd = linked "252" [ "/usr/bin/systemctl" "/usr/bin/systemd-run" "/usr/bin/journalctl" ];
  htop = script "echo htop";
  tmux = script "echo tmux";
  jq = script "echo jq";
  docker = script "exec sleep infinity";
  harmonia = service 5000;
  litellm = service 4000;
  qemu-ga = script "mkdir -p /run/qemu-ga; exec sleep infinity";
  unbound = service 53;
  vllm = service 8000;
}
