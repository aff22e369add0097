# vLLM, an OpenAI-compatible inference server on a passed-through NVIDIA card.
{ lib, pkgs, ... }:

let
  site = import ../site.nix;
  arguments = [
    site.vllm.model
    "--served-model-name"
    site.vllm.name
    "--host"
    "0.0.0.0"
    "--port"
    (toString site.vllm.port)
  ];
  # CUDA's own terms, listed by name; see "CUDA" in the nixpkgs manual. Everything else that is not free stays refused.
  cudaTerms = [
    "CUDA EULA"
    "cuDNN EULA"
    "cuSPARSELt EULA"
    "cuTENSOR EULA"
    "NVidia OptiX EULA"
  ];
in
{
  nixpkgs.config.cudaSupport = true;
  nixpkgs.config.allowUnfreePredicate =
    package:
    builtins.elem (lib.getName package) [
      "nvidia-x11"
      "nvidia-settings"
    ]
    || builtins.all (license: license.free || builtins.elem (license.shortName or null) cudaTerms) (lib.toList package.meta.license);

  # The name is historical: this is what installs the driver, with or without a display.
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.graphics.enable = true;
  # The open kernel modules are for Turing (2018) and later; older cards need `hardware.nvidia.open = false` in the host file.
  hardware.nvidia.open = lib.mkDefault true;
  hardware.nvidia.nvidiaSettings = false;

  networking.firewall.allowedTCPPorts = [ site.vllm.port ];

  systemd.services.vllm = {
    description = "vLLM inference server";
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    environment = {
      # The weights are data, not part of the system: fetched once, kept across rebuilds and rollbacks.
      HF_HOME = "/var/lib/vllm";
      HOME = "/var/lib/vllm";
      VLLM_NO_USAGE_STATS = "1";
    };
    serviceConfig = {
      ExecStart = "${lib.getExe pkgs.vllm} serve ${lib.escapeShellArgs arguments}";
      # May hold VLLM_API_KEY, which callers then have to send, and HF_TOKEN for models behind a licence. Mode 0600, root.
      EnvironmentFile = "-/var/lib/secrets/vllm.env";
      Restart = "on-failure";
      RestartSec = 10;
      TimeoutStartSec = "infinity";

      DynamicUser = true;
      StateDirectory = "vllm";
      WorkingDirectory = "/var/lib/vllm";
      ProtectSystem = "strict";
      ProtectHome = true;
      PrivateTmp = true;
      NoNewPrivileges = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
      ProtectControlGroups = true;
      RestrictSUIDSGID = true;
      LockPersonality = true;
      # No PrivateDevices and no MemoryDenyWriteExecute: the card's device nodes and its just-in-time kernels are the point.
    };
  };
}
