/**
 * For unshare(1): runs a program of the containers family (Buildah, Podman, skopeo). They share a cache of the machine's, which we must not leave
 * anything in, and by which one would push what another has packed: each sees an empty one, which goes with it.
 */
export const withOwnCache: readonly string[] = ['--mount', '--propagation', 'private', 'sh', '-c', 'mkdir -p /var/lib/containers && mount -t tmpfs tmpfs /var/lib/containers && exec "$0" "$@"'];
