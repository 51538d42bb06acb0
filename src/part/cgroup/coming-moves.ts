import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostCgroupFiles } from './cgroup-file.ts';
import type { CgroupLayout } from './cgroup-layout.ts';

/**
 * Moving a process into a cgroup, as each exec does, waits for a grace period of the kernel's RCU: 5 to 20 ms, which is as long as the
 * runtime takes for all else. The next move does not wait, if it comes within that period or the one after it. So whoever is
 * about to have a process moved says so first, and the wait passes while the runtime gets ready.
 */
export class ComingMoves {
  readonly #layout: CgroupLayout;
  /** `cgroup.procs` of the cgroup that we were in when we last looked. */
  #own: string | undefined;
  #underWay = false;

  constructor(layout: CgroupLayout) {
    this.#layout = layout;
  }

  /** A process will be moved in a moment. Returns at once and never fails: where the kernel cannot be told, the move takes its time. */
  announce(): void {
    if (this.#underWay) return;
    this.#underWay = true;
    void this.#moveToWhereWeAre().catch(() => {}).finally(() => { this.#underWay = false; });
  }

  /** Changes nothing, as we are in that cgroup already; to the kernel it is a move like any other. */
  async #moveToWhereWeAre(): Promise<void> {
    if (!lists(this.#own, process.pid)) this.#own = await ownProcs(this.#layout);
    if (this.#own !== undefined) await writeFile(this.#own, `${process.pid}`);
  }
}

/** Asked each time, for somebody may have moved us. Unlike `/proc/self/cgroup`, this file is read without waiting for a move that is under way. */
function lists(procs: string | undefined, pid: number): boolean {
  return procs !== undefined && (hostCgroupFiles.text(procs) ?? '').split('\n').includes(`${pid}`);
}

/** In the cgroup2 hierarchy, or in any where there is none. Undefined where our place cannot be seen, as behind a foreign cgroup mount. */
async function ownProcs({ unified, controllers }: CgroupLayout): Promise<string | undefined> {
  const [controller, mount] = unified === undefined ? [...controllers][0] ?? [] : ['', unified];
  if (mount === undefined) return undefined;
  for (const line of (await readFile('/proc/self/cgroup', 'utf8')).split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (path === undefined || !names!.split(',').includes(controller!)) continue;
    const procs = join(mount, path, 'cgroup.procs');
    return lists(procs, process.pid) ? procs : undefined;
  }
  return undefined;
}
