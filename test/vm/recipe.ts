/**
 * What the virtual machine of the tests is made of: a small Debian of the same release as this machine's, with systemd as
 * process 1, cgroup v2 alone and AppArmor in the kernel, as most nodes have it, or SELinux.
 */

/** Debian packages; nothing that these only recommend comes along. */
export const packages: readonly string[] = [
  'systemd', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'mount', 'util-linux', 'procps',
  'crun', 'runc', 'conmon', 'containernetworking-plugins', 'iptables', 'iproute2', 'catatonit', 'criu', 'apparmor', 'uidmap',
  'docker-registry', 'busybox-static', 'openssl', 'ca-certificates', 'libstdc++6', 'e2fsprogs', 'xfsprogs',
];

/** What confines containers there: AppArmor as on most nodes, or SELinux, with an image of its own for the policy. */
export type SecurityModule = 'apparmor' | 'selinux';

/** Come along where that is SELinux. */
export const selinuxPackages: readonly string[] = ['selinux-policy-default'];

/**
 * Nothing of the image's own is labelled, so all that the node runs is in the kernel's domain, which guest/containers.cil lets do as it likes: enforced are
 * the containers alone.
 */
export const kernelParameters: Readonly<Record<SecurityModule, string>> = { apparmor: '', selinux: 'security=selinux enforcing=1' };

/** What a test has no use for and what would fill a fifth of the disk. */
export const leftOut: readonly string[] = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** Depends on the release's current kernel. */
export const kernelPackage = 'linux-image-amd64';

/** The kernel's modules that are kept, as folders and files below `kernel/`: a tenth of all. */
export const keptModules: readonly string[] = [
  'arch', 'crypto', 'lib', 'block', 'mm', 'security',
  'fs/9p', 'fs/netfs', 'fs/fscache', 'fs/ext4', 'fs/xfs', 'fs/quota', 'fs/jbd2', 'fs/mbcache.ko', 'fs/overlayfs', 'fs/fuse', 'fs/autofs', 'fs/binfmt_misc.ko', 'fs/configfs',
  'net/9p', 'net/802', 'net/8021q', 'net/bridge', 'net/core', 'net/ipv4', 'net/ipv6', 'net/llc', 'net/netfilter', 'net/netlink', 'net/packet', 'net/sched', 'net/unix',
  'drivers/block', 'drivers/char', 'drivers/virtio', 'drivers/net/dummy.ko', 'drivers/net/ipvlan', 'drivers/net/macvlan.ko', 'drivers/net/tun.ko', 'drivers/net/veth.ko',
];

/** Loaded before the root file system is mounted, with what they depend on. */
export const bootModules: readonly string[] = ['virtio_pci', 'virtio_blk', 'ext4', 'crc32c_generic'];

/** Loaded by systemd before anything runs: containers must not have to. */
export const guestModules: readonly string[] = ['virtio_console', '9p', '9pnet_virtio', 'overlay', 'br_netfilter', 'veth', 'bridge', 'tun', 'virtio_rng'];

/** Units that a machine which lives for a few minutes without a network, a console or a clock to set does without. */
export const maskedUnits: readonly string[] = [
  'apt-daily-upgrade.timer', 'apt-daily.timer', 'docker-registry.service', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer',
  'getty.target', 'getty@tty1.service', 'serial-getty@ttyS0.service', 'systemd-binfmt.service', 'systemd-firstboot.service', 'systemd-journal-flush.service',
  'systemd-pstore.service', 'systemd-random-seed.service', 'systemd-timesyncd.service', 'systemd-tmpfiles-clean.timer', 'systemd-update-utmp.service',
  'tmp.mount', // an overlay's upper layer wants a disk
];

/** Sparse: what is not written takes no room. */
export const diskSize = '6G';
