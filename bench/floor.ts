/**
 * The floor: what a pod start takes at least, done by hand. Namespaces, the CNI plugins, an overlay mount, conmon with the
 * OCI runtime's `create`, then `start`: the same programs and system calls, and nothing kept, checked or logged around them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createNamespaces, primeThreadPool, removeNamespaces } from '../src/host/namespaces.ts';
import { libc, MNT_DETACH } from '../src/host/libc.ts';
import { run, spawn } from '../src/host/spawn.ts';
import { hybridWrapper } from '../src/part/oci/hybrid-wrapper.ts';
import { sweep } from '../test/support/leftovers.ts';
import { makeTestNetwork, type TestNetwork } from '../test/support/test-network.ts';
import { beginPart, type TestRun } from '../test/support/test-run.ts';
import { workload } from './subject.ts';

export interface FloorTimes {
  readonly namespaces: number;
  readonly cni: number;
  readonly overlay: number;
  readonly create: number;
  readonly start: number;
  /** All of them together. */
  readonly podStart: number;
}

export interface Floor {
  /** Starts one pod by hand and takes it away again; only the start is timed. */
  podLife(): Promise<FloorTimes>;
  stop(): Promise<void>;
}

interface FloorDeps {
  readonly part: TestRun;
  readonly network: TestNetwork;
  /** Path of the OCI runtime. */
  readonly runtime: string;
  /** Words in front of `create`: see hybrid-wrapper.ts. */
  readonly wrapper: readonly string[];
}

const deadlineMs = 30_000;
const cniDir = '/usr/lib/cni:/opt/cni/bin';
const controllersFile = '/sys/fs/cgroup/unified/cgroup.controllers';

/** Prepares folders, network and a root filesystem; nothing of this is timed. */
export async function makeFloor({ runtime }: { runtime: string }): Promise<Floor> {
  const part = beginPart();
  await primeThreadPool();
  const network = makeTestNetwork({ mark: part.mark, confDir: path.join(part.dir, 'net.d'), dataDir: path.join(part.dir, 'ipam') });
  for (const dir of ['exits', 'oci', 'lower/bin', 'lower/proc', 'lower/dev', 'lower/sys']) await mkdir(path.join(part.dir, dir), { recursive: true });
  await copyFile('/bin/busybox', path.join(part.dir, 'lower/bin/busybox'));
  await symlink('busybox', path.join(part.dir, 'lower/bin/sleep'));
  const deps: FloorDeps = { part, network, runtime, wrapper: needsWrapper(runtime) ? hybridWrapper(controllersFile) : [] };
  return { podLife: () => podLife(deps), stop: () => sweep(part) };
}

/** As part/oci decides: crun does not create containers on a hybrid host whose cgroup2 side owns a controller. */
function needsWrapper(runtime: string): boolean {
  if (path.basename(runtime) !== 'crun') return false;
  try {
    return readFileSync(controllersFile, 'utf8').trim() !== '';
  } catch {
    return false;
  }
}

async function podLife(deps: FloorDeps): Promise<FloorTimes> {
  const id = randomBytes(32).toString('hex');
  const dir = path.join(deps.part.dir, id.slice(0, 8));
  const at = (name: string): string => path.join(dir, name);
  const times: number[] = [];
  const timed = async (work: () => unknown): Promise<void> => {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  };
  const pod: FloorPod = { id, dir, netns: at('ns/net'), at };

  await timed(() => createNamespaces({ directory: at('ns'), net: true, ipc: true, uts: true, hostname: 'floor' }));
  await timed(() => network(deps, pod, 'ADD'));
  await timed(() => mountOverlay(deps, pod));
  await timed(() => create(deps, pod));
  await timed(() => runtimeCommand(deps, ['start', id]));

  await runtimeCommand(deps, ['delete', '--force', id]);
  libc.umount2(at('rootfs'), MNT_DETACH);
  await network(deps, pod, 'DEL');
  removeNamespaces(at('ns'));
  const [namespaces, cni, overlay, createMs, start] = times as [number, number, number, number, number];
  return { namespaces, cni, overlay, create: createMs, start, podStart: times.reduce((sum, ms) => sum + ms) };
}

interface FloorPod {
  readonly id: string;
  readonly dir: string;
  readonly netns: string;
  at(name: string): string;
}

/** Runs the plugins of the network list as CNI has it: on ADD each gets the result of the one before, on DEL in reverse. */
async function network({ network: { conflist } }: FloorDeps, pod: FloorPod, command: 'ADD' | 'DEL'): Promise<void> {
  const { cniVersion, name, plugins } = conflist as { cniVersion: string; name: string; plugins: { type: string }[] };
  let prevResult: unknown;
  for (const plugin of command === 'ADD' ? plugins : plugins.toReversed()) {
    const { stdout } = await run(pluginPath(plugin.type), [], {
      env: {
        PATH: process.env.PATH!, CNI_COMMAND: command, CNI_CONTAINERID: pod.id, CNI_NETNS: pod.netns, CNI_IFNAME: 'eth0', CNI_PATH: cniDir,
      },
      input: JSON.stringify({ cniVersion, name, ...plugin, ...(prevResult === undefined ? {} : { prevResult }) }),
      deadlineMs,
    }).then(succeeded(`${plugin.type} ${command}`));
    if (command === 'ADD') prevResult = JSON.parse(stdout.toString());
  }
}

let pluginDir: string | undefined;

function pluginPath(type: string): string {
  pluginDir ??= cniDir.split(':').find((dir) => existsSync(path.join(dir, type)));
  return path.join(pluginDir ?? '', type);
}

async function mountOverlay({ part }: FloorDeps, pod: FloorPod): Promise<void> {
  for (const dir of ['upper', 'work', 'rootfs']) await mkdir(pod.at(dir), { recursive: true });
  libc.mount('overlay', pod.at('rootfs'), 'overlay', 0, `lowerdir=${part.dir}/lower,upperdir=${pod.at('upper')},workdir=${pod.at('work')}`);
}

/** conmon's contract: it reports the container's pid on descriptor 3 once `create` is done, and begins when descriptor 4 is written. */
async function create({ part, runtime, wrapper }: FloorDeps, pod: FloorPod): Promise<void> {
  await writeFile(pod.at('config.json'), JSON.stringify(ociSpec(part, pod)));
  const [program, ...words] = [...wrapper, runtime, '--root', path.join(part.dir, 'oci')];
  const conmon = spawn('/usr/bin/conmon', [
    '--api-version', '1', '-c', pod.id, '-u', pod.id, '-n', pod.id, '-r', program!, ...words.flatMap((word) => ['--runtime-arg', word]),
    '-b', pod.dir, '-p', pod.at('pid'), '-P', pod.at('conmon.pid'), '-l', `k8s-file:${pod.at('log')}`,
    '--exit-dir', path.join(part.dir, 'exits'), '--socket-dir-path', pod.dir, '--log-level', 'error',
  ], {
    env: { PATH: process.env.PATH!, _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' },
    cwd: pod.dir,
    stdio: ['null', 'null', 'null', 'pipe-out', 'pipe-in'],
  });
  const [, , , sync, start] = conmon.streams;
  start!.end('x');
  let answer = '';
  for await (const chunk of sync!) {
    answer += String(chunk);
    if (answer.includes('\n')) break;
  }
  const { data, message } = JSON.parse(answer || '{"data":-1,"message":"conmon said nothing"}') as { data: number; message?: string };
  if (data <= 0) throw new Error(`floor: create: ${message ?? (await readFile(pod.at('log'), 'utf8'))}`);
  await conmon.exited;
}

async function runtimeCommand({ runtime, part }: FloorDeps, args: readonly string[]): Promise<void> {
  await run(runtime, ['--root', path.join(part.dir, 'oci'), ...args], { deadlineMs }).then(succeeded(args[0]!));
}

function succeeded<T extends { code: number; stdout: Buffer; stderr: Buffer }>(act: string): (result: T) => T {
  return (result) => {
    if (result.code !== 0) throw new Error(`floor: ${act} ended with ${result.code}: ${result.stderr.toString()}${result.stdout.toString()}`);
    return result;
  };
}

/** What a plain CRI container comes to. */
function ociSpec(part: TestRun, pod: FloorPod): object {
  const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'].map((name) => `CAP_${name}`);
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 }, args: workload, env: ['PATH=/bin'], cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: pod.at('rootfs') },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=64m'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'] },
    ],
    linux: {
      cgroupsPath: `/${part.mark}/${pod.id}`,
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
      namespaces: [
        { type: 'pid' }, { type: 'mount' },
        { type: 'network', path: pod.netns }, { type: 'ipc', path: pod.at('ns/ipc') }, { type: 'uts', path: pod.at('ns/uts') },
      ],
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/sys/firmware', '/proc/scsi'],
      readonlyPaths: ['/proc/asound', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}
