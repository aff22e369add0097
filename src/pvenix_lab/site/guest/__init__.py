"""Guests: a directory tree per VM, the programs that answer there, systemd units, the Nix store and generations."""
