/** The files of one container's bundle directory: config.json is ours, the rest is conmon's and the runtime's. */
import { join } from 'node:path';

export interface BundleFiles {
  /** The pid of the container's first process, written by the runtime. */
  readonly containerPid: string;
  /** Which conmon works here, as JSON of a ProcessRef: there before conmon is let go on. */
  readonly conmon: string;
  /** SOCK_SEQPACKET socket to attach to. Its path may be longer than a socket address holds: connect through /proc/self/fd. */
  readonly attach: string;
  /** Fifo that takes `1 HEIGHT WIDTH` (resize) and `2 0 0` (reopen the log), a line each. */
  readonly control: string;
  /** Made by conmon when the container's memory cgroup ran out of memory. */
  readonly oom: string;
}

export function bundleFiles(bundle: string): BundleFiles {
  return {
    containerPid: join(bundle, 'container.pid'),
    conmon: join(bundle, 'conmon.json'),
    attach: join(bundle, 'attach'),
    control: join(bundle, 'ctl'),
    oom: join(bundle, 'oom'),
  };
}
