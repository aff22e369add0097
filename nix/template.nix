# Template 8100 itself: install this system on a q35/OVMF guest whose partitions carry the labels `nixos` and `ESP`. Before
# `Convert to template`: empty /etc/machine-id, remove /etc/ssh/ssh_host_* and /var/lib/fleet, run `cloud-init clean`. Clones that
# share a machine-id get the same DHCP lease, clones that share a key can pass for each other. The first template is made so by
# hand; playbooks/template-refresh.yaml makes each later one from it, and proves by two clones that nothing was left behind.
{ modulesPath, ... }:

{
  imports = [
    ./configuration.nix
    (modulesPath + "/profiles/qemu-guest.nix")
  ];

  boot.initrd.availableKernelModules = [
    "ahci"
    "virtio_pci"
    "virtio_scsi"
    "sd_mod"
    "sr_mod"
  ];

  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/ESP";
    fsType = "vfat";
    options = [
      "fmask=0077"
      "dmask=0077"
    ];
  };

  nixpkgs.hostPlatform = "x86_64-linux";
}
