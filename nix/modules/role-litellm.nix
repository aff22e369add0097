# LiteLLM, the gateway in front of the inference servers. The package comes from the pinned nixpkgs; nothing is fetched when it starts.
{ lib, pkgs, ... }:

let
  site = import ../site.nix;
  secret = "/var/lib/secrets/litellm.env";
in
{
  services.litellm = {
    enable = true;
    host = "0.0.0.0";
    port = 4000;
    openFirewall = true;
    environmentFile = secret;
    settings = {
      model_list = [
        {
          model_name = site.vllm.name;
          litellm_params = {
            model = "hosted_vllm/${site.vllm.name}";
            api_base = "http://${site.vllm.host}:${toString site.vllm.port}/v1";
          };
        }
      ];
      general_settings.master_key = "os.environ/LITELLM_MASTER_KEY";
    };
  };

  # Callers need a key from the first minute on. It is made here, on the guest, and is never in Git; add HOSTED_VLLM_API_KEY to the
  # same file where the inference server asks for one.
  systemd.services.litellm-secret = {
    description = "Master key of LiteLLM";
    requiredBy = [ "litellm.service" ];
    before = [ "litellm.service" ];
    unitConfig.ConditionPathExists = "!${secret}";
    path = [ pkgs.openssl ];
    script = ''
      umask 077
      mkdir -p /var/lib/secrets
      printf 'LITELLM_MASTER_KEY=sk-%s\n' "$(openssl rand -hex 24)" > ${secret}.new
      mv ${secret}.new ${secret}
    '';
    serviceConfig.Type = "oneshot";
  };
}
