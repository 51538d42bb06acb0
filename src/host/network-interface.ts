/** Network interfaces of the calling thread's network namespace, by ioctl (netdevice(7)). */
import { isIPv6 } from 'node:net';
import { hasCode } from '../base/errors.ts';
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

const AF_INET6 = 10;
const SIOCSIFADDR = 0x8916;
const SIOCGIFINDEX = 0x8933;

/** Gives an interface of the calling thread's network namespace an address, alone in its network; one that has it keeps it. */
export function addAddress(name: string, address: string): void {
  const socket = libc.socket(isIPv6(address) ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, IFNAMSIZ - 1, 'latin1');
  try {
    if (isIPv6(address)) {
      libc.ioctl(socket, SIOCGIFINDEX, request);
      libc.ioctl(socket, SIOCSIFADDR, in6Request(address, request.readInt32LE(IFNAMSIZ)));
    } else {
      request.writeUInt16LE(AF_INET, IFNAMSIZ); // struct sockaddr_in: family, port, address
      Buffer.from(address.split('.').map(Number)).copy(request, IFNAMSIZ + 4);
      libc.ioctl(socket, SIOCSIFADDR, request);
    }
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    libc.close(socket);
  }
}

/** struct in6_ifreq: 16 bytes of address, the length of its prefix, the index of the interface. */
function in6Request(address: string, index: number): Buffer {
  const request = Buffer.alloc(24);
  bytesOf(address).copy(request);
  request.writeUInt32LE(128, 16);
  request.writeInt32LE(index, 20);
  return request;
}

/** The 16 bytes of an IPv6 address in any spelling without dots. */
function bytesOf(address: string): Buffer {
  const [front = '', back] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [head, tail] = [groups(front), groups(back ?? '')];
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
