/** What root tests of containers stand on: a root file system out of busybox, and bundles for real runtimes and conmon. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../base/log.ts';
import { findProgram } from '../../host/find-program.ts';
import { createWithConmon } from './conmon.ts';
import type { ConmonRequest, CreatedContainer } from './conmon.ts';
import { hybridWrapper } from './hybrid-wrapper.ts';
import { createInfraProcess } from './infra-process.ts';
import { OciRuntime } from './oci-runtime.ts';

const cgroupRoot = '/sys/fs/cgroup';
const applets = ['sh', 'sleep', 'echo', 'cat', 'head', 'tail', 'dd', 'setsid', 'true', 'env', 'kill', 'ls', 'yes', 'stty', 'tty'];

/** The runtimes to test: RUNTIME=crun or RUNTIME=runc for one of them. */
export const runtimesUnderTest: readonly string[] = process.env['RUNTIME'] === undefined ? ['crun', 'runc'] : [process.env['RUNTIME']];

/** Why these tests cannot run here; undefined when they can. */
export function missingForContainers(runtime: string): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const program of [findProgram(runtime), findProgram('conmon'), '/bin/busybox']) {
    if (program === undefined || !existsSync(program)) return `needs ${runtime}, conmon and a static busybox`;
  }
  return undefined;
}

export interface ContainerWish {
  readonly args: readonly string[];
  readonly memoryLimit?: number;
  readonly terminal?: boolean;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly log?: boolean;
  /** Made as a pod's infra process is. */
  readonly infra?: boolean;
  readonly mounts?: readonly object[];
  readonly request?: Partial<ConmonRequest>;
}

export interface MadeContainer extends CreatedContainer {
  readonly id: string;
  readonly bundle: string;
  readonly logPath: string;
  /** In every hierarchy. */
  readonly cgroup: string;
}

/** One test's runtime with its directories; everything is gone after the test. */
export class RuntimeBed {
  readonly dir = mkdtempSync(join(tmpdir(), 'gantry-oci-'));
  readonly exitDir = join(this.dir, 'exits');
  readonly rootfs = join(this.dir, 'rootfs');
  readonly cgroupParent = `/gantry-test-${randomBytes(4).toString('hex')}`;
  readonly runtime: OciRuntime;
  readonly #ids: string[] = [];

  constructor(t: TestContext, handler: string) {
    chmodSync(this.dir, 0o755);
    mkdirSync(this.exitDir);
    this.runtime = new OciRuntime({
      name: handler,
      path: findProgram(handler)!,
      stateRoot: join(this.dir, 'state'),
      systemdCgroup: false,
      ...(handler === 'crun' && hybridWithControllers() ? { createWrapper: hybridWrapper(`${cgroupRoot}/unified/cgroup.controllers`) } : {}),
      sendsTerminal: handler === 'crun',
      log: silentLogger,
    });
    makeRootfs(this.rootfs);
    t.after(() => this.#clear());
  }

  /** Creates a container, not started yet. */
  async create(wish: ContainerWish): Promise<MadeContainer> {
    const id = `t${randomBytes(6).toString('hex')}`;
    const bundle = join(this.dir, id);
    const cgroup = `${this.cgroupParent}/${id}`;
    const logPath = wish.log === false ? '' : join(bundle, 'container.log');
    mkdirSync(bundle);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(specOf(this.rootfs, cgroup, wish)));
    this.#ids.push(id);
    const request: ConmonRequest = {
      conmon: findProgram('conmon')!,
      runtime: this.runtime,
      id,
      name: id,
      bundle,
      exitDir: this.exitDir,
      logPath,
      stdin: wish.stdin ?? false,
      stdinOnce: wish.stdinOnce ?? false,
      terminal: wish.terminal ?? false,
      cgroups: [],
      deadlineMs: 30_000,
      ...wish.request,
    };
    const created = await (wish.infra === true ? createInfraProcess : createWithConmon)(request, silentLogger);
    return { ...created, id, bundle, logPath, cgroup };
  }

  async run(wish: ContainerWish): Promise<MadeContainer> {
    const container = await this.create(wish);
    await this.runtime.start(container.id);
    return container;
  }

  /** The ids of all containers that were tried, the last one last. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  pids(cgroup: string): number[] {
    const procs = cgroupDirectories(cgroup).map((directory) => readFileSync(join(directory, 'cgroup.procs'), 'latin1'));
    return [...new Set(procs.flatMap((text) => text.split('\n').filter((line) => line !== '' && line !== '0').map(Number)))];
  }

  async #clear(): Promise<void> {
    for (const id of this.#ids) await this.runtime.delete(id, { force: true }).catch(() => {});
    for (const id of this.#ids) await eventually(() => cgroupDirectories(`${this.cgroupParent}/${id}`).every(tryRmdir));
    await eventually(() => cgroupDirectories(this.cgroupParent).every(tryRmdir));
    await eventually(() => { rmSync(this.dir, { recursive: true, force: true }); return true; });
  }
}

/** Asks until it is so, for at most `ms`; an error counts as not yet. */
export async function eventually(condition: () => boolean, ms = 5000): Promise<void> {
  for (const end = performance.now() + ms; ;) {
    try {
      if (condition()) return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition.toString()}`);
    await sleep(10);
  }
}

/** The log's lines without time stamps: `stdout F hello`. */
export function logLines(container: MadeContainer): string[] {
  return readFileSync(container.logPath, 'utf8').split('\n').filter((line) => line !== '').map((line) => line.slice(line.indexOf(' ') + 1));
}

function hybridWithControllers(): boolean {
  const file = `${cgroupRoot}/unified/cgroup.controllers`;
  return existsSync(file) && readFileSync(file, 'latin1').trim() !== '';
}

/** A cgroup's directories: on v2 the one, on v1 and hybrid one a hierarchy. */
function cgroupDirectories(cgroup: string): string[] {
  const roots = existsSync(join(cgroupRoot, 'cgroup.procs')) ? [cgroupRoot] : readdirSync(cgroupRoot).map((name) => join(cgroupRoot, name));
  return roots.map((root) => join(root, cgroup)).filter((directory) => existsSync(directory));
}

function tryRmdir(directory: string): boolean {
  rmdirSync(directory);
  return true;
}

function makeRootfs(rootfs: string): void {
  for (const directory of ['bin', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(join(rootfs, directory), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of applets) symlinkSync('busybox', join(rootfs, 'bin', applet));
  writeFileSync(join(rootfs, 'not-executable'), 'x\n', { mode: 0o644 });
}

function specOf(rootfs: string, cgroup: string, wish: ContainerWish): object {
  const capabilities = ['CAP_KILL', 'CAP_CHOWN'];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: wish.terminal ?? false,
      user: { uid: 0, gid: 0 },
      args: wish.args,
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: true,
    },
    root: { path: rootfs, readonly: false },
    hostname: 'bed',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666', 'mode=0620'] },
      ...(wish.mounts ?? []),
    ],
    linux: {
      cgroupsPath: cgroup,
      resources: { devices: [{ allow: true, access: 'rwm' }], ...(wish.memoryLimit === undefined ? {} : { memory: { limit: wish.memoryLimit, swap: wish.memoryLimit } }) },
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
    },
  };
}
