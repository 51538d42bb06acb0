/** Who is at the other end of a unix socket, as the kernel says: nothing of it is the client's own word. */
import { readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { libc } from './libc.ts';

export interface PeerProcess {
  /** 0 when it is in no pid namespace that is seen from here. */
  readonly pid: number;
  readonly uid: number;
  /** The path of its program as the process sees it, or the name of its process; empty when it is gone already. */
  readonly program: string;
  /** The deepest of its cgroups; empty as above. */
  readonly cgroup: string;
}

/** Undefined for a connection that is closed by now. Of a process that ended meanwhile only pid and uid are known. */
export function peerProcess(socket: Socket): PeerProcess | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const { pid, uid } = libc.peerCredentials(fd);
  return { pid, uid, program: programOf(pid), cgroup: deepestCgroup(readOr(`/proc/${pid}/cgroup`)) };
}

/** Node gives a socket's descriptor no public name. */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

/** A program that was replaced on disk while it runs is still that program. */
function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return readOr(`/proc/${pid}/comm`).trim();
  }
}

/** Of the lines `ID:CONTROLLERS:PATH` of /proc/PID/cgroup: with cgroup v1 a process may be at the root of some hierarchies. */
export function deepestCgroup(lines: string): string {
  const paths = lines.split('\n').flatMap((line) => /^\d+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []);
  return paths.reduce((deepest, path) => (path.length > deepest.length ? path : deepest), '');
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
