/** Network interfaces of the calling thread's network namespace, by ioctl (netdevice(7)). */
import { libc } from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** struct ifreq: a name of 16 bytes, then a union of which we use the flags (a short). */
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;

/**
 * Sets an interface up, in whatever network namespace the calling thread is in; one that is up stays up. Bringing up
 * `lo` gives it 127.0.0.1 and, where the kernel has IPv6, ::1.
 */
export function bringUp(name: string): void {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, IFNAMSIZ - 1, 'latin1');
  const socket = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    libc.ioctl(socket, SIOCGIFFLAGS, request);
    request.writeUInt16LE(request.readUInt16LE(IFNAMSIZ) | IFF_UP, IFNAMSIZ);
    libc.ioctl(socket, SIOCSIFFLAGS, request);
  } finally {
    libc.close(socket);
  }
}
