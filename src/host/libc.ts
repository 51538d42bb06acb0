/**
 * The C library through koffi: the only place where foreign functions are bound. Each call either succeeds or throws a
 * SyscallError with the errno; none retries and none interprets. Calls are synchronous (but for those that return a promise), so they
 * are for paths and descriptors of our own, never for a path on a user's volume.
 */
import koffi from 'koffi';
import { constants } from 'node:os';

// Some numbers have two names (EAGAIN and EWOULDBLOCK); the first, which is the one that Node uses, wins.
const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]).reverse());

/** A failed system call. `code` is the errno's name (`EBUSY`), so that `hasCode` works on it as on Node's own errors. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly syscall: string;
  readonly errno: number;
  readonly code: string;

  constructor(syscall: string, errno: number, subject?: string) {
    const code = errnoNames.get(errno) ?? `E${errno}`;
    super(subject === undefined ? `${syscall}: ${code}` : `${syscall} ${subject}: ${code}`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
  }
}

const c = koffi.load('libc.so.6');

const c_mount = c.func('int mount(const char*, const char*, const char*, unsigned long, const char*)');
const c_umount2 = c.func('int umount2(const char*, int)');
const c_unshare = c.func('int unshare(int)');
const c_setns = c.func('int setns(int, int)');
const c_sethostname = c.func('int sethostname(const char*, size_t)');
const c_chroot = c.func('int chroot(const char*)');
const c_linkat = c.func('int linkat(int, const char*, int, const char*, int)');
const c_mknod = c.func('int mknod(const char*, uint32_t, uint64_t)');
const c_lsetxattr = c.func('int lsetxattr(const char*, const char*, const void*, size_t, int)');
const c_lgetxattr = c.func('long lgetxattr(const char*, const char*, void*, size_t)');
const c_setxattr = c.func('int setxattr(const char*, const char*, const void*, size_t, int)');
const c_getxattr = c.func('long getxattr(const char*, const char*, void*, size_t)');
const c_llistxattr = c.func('long llistxattr(const char*, void*, size_t)');
const c_ioctl = c.func('int ioctl(int, unsigned long, void*)');
const c_socket = c.func('int socket(int, int, int)');
const c_close = c.func('int close(int)');
const c_connect = c.func('int connect(int, const void*, uint32_t)');
const ioVector = koffi.struct({ base: 'void*', length: 'size_t' });
const messageHeader = koffi.struct({ name: 'void*', nameLength: 'uint32_t', vector: koffi.pointer(ioVector), vectorLength: 'size_t', control: 'void*', controlLength: 'size_t', flags: 'int' });
const c_recvmsg = c.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(messageHeader)), 'int']);
const c_getsockopt = c.func('int getsockopt(int, int, int, void*, void*)');
const c_sendto = c.func('long sendto(int, const void*, size_t, int, const void*, uint32_t)');
const c_utimensat = c.func('int utimensat(int, const char*, const void*, int)');
const c_syncfs = c.func('int syncfs(int)');
const c_syncFileRange = c.func('int sync_file_range(int, int64_t, int64_t, unsigned int)');
const c_pipe2 = c.func('int pipe2(_Out_ int*, int)');
const c_flock = c.func('int flock(int, int)');
const c_openat2 = c.func('long syscall(long, int, const char*, const void*, size_t)');
const c_statfs = c.func('int statfs(const char*, void*)');
const c_lseek = c.func('long lseek(int, long, int)');
const c_quotactl = c.func('int quotactl(unsigned int, const char*, unsigned int, void*)');
const c_copyFileRange = c.func('long copy_file_range(int, void*, int, void*, size_t, unsigned int)');
const c_mallocTrim = c.func('int malloc_trim(size_t)');
// glibc has no wrappers for these before 2.36, so they go through syscall(2) as well.
const c_openTree = c.func('long syscall(long, int, const char*, unsigned int)');
const c_mountSetattr = c.func('long syscall(long, int, const char*, unsigned int, const void*, size_t)');
const c_moveMount = c.func('long syscall(long, int, const char*, int, const char*, unsigned int)');

const c_quotactlFd = c.func('long syscall(long, unsigned int, unsigned int, unsigned int, void*)');

// The same numbers on every architecture (they came after the tables were unified).
const SYS_open_tree = 428;
const SYS_move_mount = 429;
const SYS_openat2 = 437;
const SYS_mount_setattr = 442;
const SYS_quotactl_fd = 443;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_IDMAP = 0x100000n;

const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_PEERCRED = 17;
/** A control message's header is 16 bytes; there is room for one descriptor behind it, so that the kernel drops all others. */
const OFFSET_OF_DESCRIPTOR = 16;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const AT_FDCWD = -100;
export const MS_RDONLY = 0x1;
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_REMOUNT = 0x20;
export const MS_BIND = 0x1000;
export const SEEK_SET = 0;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;
export const CLONE_FS = 0x200;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWNET = 0x40000000;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
const SYNC_FILE_RANGE_WRITE = 2;

export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

function check(result: number, syscall: string, subject?: string): number {
  if (result < 0) throw new SyscallError(syscall, koffi.errno(), subject);
  return result;
}

interface AsideCall {
  readonly error: Error | null;
  readonly result: number;
  readonly syscall: string;
  readonly subject?: string;
}

/** How a call ended that koffi made on another thread: to be used within its callback, to which koffi brings the errno along. */
function settle(promise: { resolve: () => void; reject: (error: Error) => void }, { error, result, syscall, subject }: AsideCall): void {
  if (error !== null) promise.reject(error);
  else if (result < 0) promise.reject(new SyscallError(syscall, koffi.errno(), subject));
  else promise.resolve();
}

/** A path whose bytes need not be UTF-8 is a Buffer, as Node's functions take it. */
export type BytePath = string | Buffer;

function pathArgument(path: BytePath): BytePath {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)]);
}

function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > 107) throw new SyscallError('unix address', constants.errno.ENAMETOOLONG, path);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0); // AF_UNIX
  bytes.copy(address, 2);
  if (path.startsWith('@')) address[2] = 0; // systemd's notation for an abstract address
  return address.subarray(0, 2 + bytes.length + (path.startsWith('@') ? 0 : 1));
}

function openHow(flags: number, mode: number, resolve: number): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

export const libc = {
  mount(source: string, target: string, fstype: string, flags: number, data: string | null): void {
    check(c_mount(source, target, fstype, flags, data), 'mount', target);
  },
  umount2(target: string, flags: number): void {
    check(c_umount2(target, flags), 'umount', target);
  },
  /** The same on a thread of libuv's pool: taking away the last mount of a file system may first write all of it to its disk. */
  async umount2Aside(target: string, flags: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    c_umount2.async(target, flags, (error: Error | null, result: number) => settle({ resolve, reject }, { error, result, syscall: 'umount', subject: target }));
    await promise;
  },
  unshare(flags: number): void {
    check(c_unshare(flags), 'unshare');
  },
  setns(fd: number, nstype: number): void {
    check(c_setns(fd, nstype), 'setns');
  },
  sethostname(name: string): void {
    check(c_sethostname(name, Buffer.byteLength(name)), 'sethostname', name);
  },
  chroot(path: string): void {
    check(c_chroot(path), 'chroot', path);
  },
  /** linkat(2): one more name for `base` in the directory of a descriptor, for a symlink itself. */
  linkat(directory: number, base: BytePath, path: BytePath): void {
    check(c_linkat(directory, pathArgument(base), AT_FDCWD, pathArgument(path), 0), 'linkat', String(path));
  },
  mknod(path: BytePath, mode: number, dev: bigint): void {
    check(c_mknod(pathArgument(path), mode, dev), 'mknod', String(path));
  },
  lsetxattr(path: BytePath, name: string, value: Uint8Array, flags: number): void {
    check(c_lsetxattr(pathArgument(path), name, value, value.length, flags), 'lsetxattr', `${name} ${path}`);
  },
  /** The attribute's value; undefined when it is not set or the filesystem has none. */
  lgetxattr(path: BytePath, name: string): Buffer | undefined {
    const value = Buffer.alloc(65536);
    const length = Number(c_lgetxattr(pathArgument(path), name, value, value.length));
    if (length >= 0) return value.subarray(0, length);
    const errno = koffi.errno();
    if (errno === constants.errno.ENODATA || errno === constants.errno.ENOTSUP) return undefined;
    throw new SyscallError('lgetxattr', errno, `${name} ${path}`);
  },
  /** Of what the path leads to, symlinks followed; on `/proc/self/fd/N` of exactly what that descriptor is, be it a symlink. */
  setxattr(path: string, name: string, value: Uint8Array, flags: number): void {
    check(c_setxattr(path, name, value, value.length, flags), 'setxattr', `${name} ${path}`);
  },
  /** As setxattr; undefined when it is not set. A value of more than 4 KiB fails with ERANGE. */
  getxattr(path: string, name: string): Buffer | undefined {
    const value = Buffer.alloc(4096);
    const length = Number(c_getxattr(path, name, value, value.length));
    if (length >= 0) return value.subarray(0, length);
    const errno = koffi.errno();
    if (errno === constants.errno.ENODATA) return undefined;
    throw new SyscallError('getxattr', errno, `${name} ${path}`);
  },
  /** The names of a path's attributes, of a symlink itself; none where the filesystem has none. */
  llistxattr(path: BytePath): string[] {
    const names = Buffer.alloc(65536);
    const length = Number(c_llistxattr(pathArgument(path), names, names.length));
    if (length >= 0) return names.toString('utf8', 0, length).split('\0').filter((name) => name !== '');
    if (koffi.errno() === constants.errno.ENOTSUP) return [];
    throw new SyscallError('llistxattr', koffi.errno(), String(path));
  },
  ioctl(fd: number, request: number, argument: Buffer): number {
    return check(c_ioctl(fd, request, argument), 'ioctl');
  },
  socket(domain: number, type: number, protocol: number): number {
    return check(c_socket(domain, type, protocol), 'socket');
  },
  close(fd: number): void {
    check(c_close(fd), 'close');
  },
  /** Connects a unix socket; a path of more than 107 bytes is ENAMETOOLONG. A full backlog is EAGAIN on a socket that does not block. */
  connectUnix(fd: number, path: string): void {
    const address = unixAddress(path);
    check(c_connect(fd, address, address.length), 'connect', path);
  },
  /** Takes the one descriptor (close-on-exec) that the next message on a unix socket carries; undefined at its end, or when it carries none. Nothing there yet is EAGAIN. */
  receiveDescriptor(fd: number): number | undefined {
    const [data, control] = [Buffer.alloc(256), Buffer.alloc(OFFSET_OF_DESCRIPTOR + 4)];
    const header = { name: null, nameLength: 0, vector: [{ base: data, length: data.length }], vectorLength: 1, control, controlLength: control.length, flags: 0 };
    check(Number(c_recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)), 'recvmsg');
    if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return undefined;
    return control.readInt32LE(OFFSET_OF_DESCRIPTOR);
  },
  /** Who connected a unix socket (SO_PEERCRED), as it was when it did. A process that cannot be seen from here has pid 0. */
  peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number } {
    const [credentials, length] = [Buffer.alloc(12), Buffer.alloc(4)];
    length.writeUInt32LE(credentials.length);
    check(c_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length), 'getsockopt');
    return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4), gid: credentials.readUInt32LE(8) };
  },
  /** Sends one datagram to a unix socket; a leading `@` means the abstract namespace (systemd's NOTIFY_SOCKET). */
  sendtoUnix(fd: number, data: Uint8Array, path: string): void {
    const address = unixAddress(path);
    check(Number(c_sendto(fd, data, data.length, 0, address, address.length)), 'sendto', path);
  },
  /** Sets both times of a path, nanoseconds since the epoch; a symlink itself, not what it names. */
  utimensat(path: BytePath, atimeNs: bigint, mtimeNs: bigint): void {
    const times = Buffer.alloc(32);
    for (const [offset, ns] of [[0, atimeNs], [16, mtimeNs]] as const) {
      const nanoseconds = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
      times.writeBigInt64LE((ns - nanoseconds) / 1_000_000_000n, offset);
      times.writeBigInt64LE(nanoseconds, offset + 8);
    }
    check(c_utimensat(AT_FDCWD, pathArgument(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', String(path));
  },
  /** Writes everything of the filesystem that holds `fd` to its disk. */
  /** Lets the disk begin with what has been written to a file, and waits for nothing. A hint: what comes of it, a sync tells. */
  beginWriteback(fd: number): void {
    c_syncFileRange(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  },
  /** On a thread of libuv's pool: a disk may take its time. */
  async syncfsAside(fd: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    c_syncfs.async(fd, (error: Error | null, result: number) => settle({ resolve, reject }, { error, result, syscall: 'syncfs' }));
    await promise;
  },
  /** [read end, write end] */
  pipe2(flags: number): [number, number] {
    const ends: [number, number] = [0, 0];
    check(c_pipe2(ends, flags), 'pipe2');
    return ends;
  },
  flock(fd: number, operation: number): void {
    check(c_flock(fd, operation), 'flock');
  },
  /** openat2(2): opens `path` (bytes where it may not be UTF-8) under `dirfd` with RESOLVE_ flags; returns the descriptor (close-on-exec when asked in flags). */
  openat2(dirfd: number, path: string | Buffer, flags: number, mode: number, resolve: number): number {
    const how = openHow(flags, mode, resolve);
    return check(Number(c_openat2(SYS_openat2, dirfd, pathArgument(path), how, how.length)), 'openat2', path.toString());
  },
  /** openat2(2) without making anything, on a thread of libuv's pool: for names that containers chose. */
  async openat2Aside(dirfd: number, path: BytePath, flags: number, resolve: number): Promise<number> {
    const how = openHow(flags, 0, resolve);
    return await new Promise((opened, failed) => {
      c_openat2.async(SYS_openat2, dirfd, pathArgument(path), how, how.length, (error: Error | null, result: number | bigint) => {
        if (error !== null) failed(error);
        else if (Number(result) < 0) failed(new SyscallError('openat2', koffi.errno(), path.toString()));
        else opened(Number(result));
      });
    });
  },
  /** open_tree(2): a copy of the mount at `path`, without those below it and not attached anywhere; it goes with its descriptor. */
  cloneMount(path: string): number {
    return check(Number(c_openTree(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC)), 'open_tree', path);
  },
  /** mount_setattr(2): maps the owners of an unattached mount's files as the user namespace of `userFd` maps its ids. */
  idmapMount(mountFd: number, userFd: number): void {
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
    attributes.writeBigUInt64LE(BigInt(userFd), 24);
    check(Number(c_mountSetattr(SYS_mount_setattr, mountFd, '', AT_EMPTY_PATH, attributes, attributes.length)), 'mount_setattr');
  },
  /** move_mount(2): attaches an unattached mount. */
  attachMount(mountFd: number, target: string): void {
    check(Number(c_moveMount(SYS_move_mount, mountFd, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)), 'move_mount', target);
  },
  /** Moves a descriptor's position and returns it. SEEK_DATA behind the last data: ENXIO. */
  lseek(fd: number, offset: number, whence: number): number {
    return check(Number(c_lseek(fd, offset, whence)), 'lseek');
  },
  /** copy_file_range(2) from position to position, which it moves: shares the blocks where the filesystem can. Returns how many bytes; 0 at the end. */
  copyFileRange(from: number, to: number, length: number): number {
    return check(Number(c_copyFileRange(from, null, to, null, length, 0)), 'copy_file_range');
  },
  /** quotactl_fd(2) of the filesystem that holds `fd`: since Linux 5.14. */
  quotactlFd(fd: number, command: number, id: number, argument: Buffer): void {
    check(Number(c_quotactlFd(SYS_quotactl_fd, fd, command, id, argument)), 'quotactl_fd');
  },
  /** quotactl(2) of the filesystem on a block device. */
  quotactl(device: string, command: number, id: number, argument: Buffer): void {
    check(c_quotactl(command, device, id, argument), 'quotactl', device);
  },
  /** malloc_trim(3): every whole page that malloc keeps free goes back to the kernel. On a thread of libuv's pool, as it takes some 20 ms for 50 MB. */
  async mallocTrimAside(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    c_mallocTrim.async(0, (error: Error | null) => (error === null ? resolve() : reject(error)));
    await promise;
  },
  /** The magic number of the filesystem that holds a path (statfs f_type). */
  filesystemType(path: string): number {
    const result = Buffer.alloc(256);
    check(c_statfs(path, result), 'statfs', path);
    return Number(result.readBigInt64LE(0));
  },
};
