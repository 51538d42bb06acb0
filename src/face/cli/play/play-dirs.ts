/** Where a played pod keeps its files, and how they are made and removed. */
import { access, chmod, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../../../base/errors.ts';
import { directoryName, playUid } from './pod-facts.ts';

export interface PlayRoots {
  /** Volumes and the files that are mounted into containers. */
  readonly dataDir: string;
  /** Logs, by the kubelet's layout. */
  readonly logDir: string;
}

/** The directories of one pod; the same for play and for `--down`. */
export class PlayDirs {
  readonly data: string;
  readonly logs: string;

  constructor(roots: PlayRoots, pod: { readonly namespace: string; readonly name: string }) {
    this.data = path.join(roots.dataDir, directoryName(pod));
    this.logs = path.join(roots.logDir, `${directoryName(pod)}_${playUid(pod.namespace, pod.name)}`);
  }

  volume(name: string): string {
    return path.join(this.data, 'volumes', name);
  }

  get hostsFile(): string {
    return path.join(this.data, 'etc-hosts');
  }

  terminationLog(container: string): string {
    return path.join(this.data, 'containers', container, 'termination-log');
  }

  /** Makes the pod's own directories; what others may read of the volumes is decided by the volumes. */
  async make(): Promise<void> {
    await mkdir(path.join(this.data, 'volumes'), { recursive: true, mode: 0o700 });
    await chmod(this.data, 0o700);
    await mkdir(this.logs, { recursive: true, mode: 0o755 });
  }

  /**
   * Removes data and logs; gone already is success. Something still mounted inside is failed-precondition, since removing
   * would reach through the mount. Says whether there was anything.
   */
  async remove(): Promise<boolean> {
    const mounted = (await mountPoints()).find((point) => point === this.data || point.startsWith(`${this.data}/`));
    if (mounted !== undefined) throw failure('failed-precondition', { act: 'remove volumes', object: this.data, why: `${mounted} is still mounted: umount it first` });
    const existed = await access(this.data).then(() => true, () => false);
    await rm(this.data, { recursive: true, force: true });
    await rm(this.logs, { recursive: true, force: true });
    return existed;
  }
}

async function mountPoints(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  // proc_pid_mountinfo(5): the fifth word, blanks as octal escapes.
  return table.split('\n').map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_all, code: string) => String.fromCharCode(parseInt(code, 8))));
}
