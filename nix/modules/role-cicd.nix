# The CI/CD host: keeps the one true copy of the fleet repository and is where pvenix runs from.
{ pkgs, ... }:

let
  site = import ../site.nix;
  updateHook = pkgs.writeScriptBin "update" (builtins.readFile ../files/fleet-update-hook);
  serve = pkgs.writeScriptBin "fleet-git-serve" (builtins.readFile ../files/fleet-git-serve);
  git = "${pkgs.git}/bin/git";
in
{
  # Every line of /srv/git/.ssh/authorized_keys names its owner and is good for git only:
  #   restrict,command="/run/current-system/sw/bin/fleet-git-serve operator" ssh-ed25519 AAAA…
  #   restrict,command="/run/current-system/sw/bin/fleet-git-serve guest:dns01" ssh-ed25519 AAAA…
  # The login shell only runs that command; git-shell as login shell would refuse it.
  users.groups.git = { };
  users.users.git = {
    isSystemUser = true;
    group = "git";
    home = "/srv/git";
    createHome = true;
    shell = pkgs.bashInteractive;
  };

  environment.systemPackages = [
    serve
    pkgs.python3
  ];

  systemd.services.fleet-repository = {
    description = "The fleet's bare repository and its push rights";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      User = "git";
      UMask = "0027";
      # `init` on an existing repository changes nothing.
      ExecStart = [
        "${git} init --quiet --bare --initial-branch=${site.repository.branch} ${site.repository.path}"
        "${git} --git-dir=${site.repository.path} config core.hooksPath ${updateHook}/bin"
        "${git} --git-dir=${site.repository.path} config receive.fsckObjects true"
        "${git} --git-dir=${site.repository.path} config receive.denyDeleteCurrent true"
      ];
    };
  };
}
