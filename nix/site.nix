# The few facts that several modules share. Change them here, once; what also stands in inventory/site.yaml must agree with it.
{
  domain = "internal";

  repository = {
    url = "ssh://git@tappaas-cicd.mgmt.internal/srv/git/tappaas-nixos-config.git";
    path = "/srv/git/tappaas-nixos-config.git";
    branch = "main";
    server = "tappaas-cicd.mgmt.internal";
    # The server's line of /etc/ssh/ssh_host_ed25519_key.pub. While it is null a new guest does not register itself: it would
    # have to trust whoever answers. pvenix then does all of it over its own connection.
    hostKey = null;
  };

  # Names that must resolve with DNS down, or a broken DNS server could not be rolled back.
  controlPlane = {
    "10.0.0.10" = [ "tappaas1.mgmt.internal" ];
    "10.0.0.11" = [ "tappaas2.mgmt.internal" ];
    "10.0.0.30" = [ "tappaas-cicd.mgmt.internal" ];
  };

  # Who may ask the resolver, and who knows the names of this site (the firewall, which hands out the leases).
  dns = {
    clients = [ "10.0.0.0/8" ];
    upstream = [ "10.0.0.1" ];
  };

  # The model is public and needs no token. The name is what litellm's users ask for.
  vllm = {
    host = "tappaas-vllm.srvWork.internal";
    port = 8000;
    model = "Qwen/Qwen2.5-7B-Instruct";
    name = "qwen2.5-7b-instruct";
  };
}
