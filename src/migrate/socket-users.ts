/** Who on this node uses Docker's socket: a pod's process that sees it mounted, and any process that has a connection to it now. */
import { readFile, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../host/spawn.ts';
import type { Migration } from './migration.ts';

export interface SocketUser {
  readonly pid: number;
  /** The program's name. */
  readonly program: string;
  /** `pod default/web` by its cgroup, or `host`; a pod that no runtime tells the name of goes by its uid. */
  readonly where: string;
  readonly how: 'connected' | 'mounted';
  /** What such programs mostly want of Docker, and what they do without; undefined for one that is not known. */
  readonly purpose: string | undefined;
}

const socketNames = /\/docker\.sock$/;
/** dockerd has the socket, and cri-dockerd goes with Docker. */
const ofDocker = ['dockerd', 'cri-dockerd', 'containerd', 'docker-proxy'];

const purposes: readonly (readonly [RegExp, string])[] = [
  [/^cadvisor/, 'figures of containers: the kubelet tells them at /metrics/cadvisor'],
  [/^(?:fluentd|fluent-bit|filebeat|promtail|vector|logstash|ruby)/, 'logs and their labels: read /var/log/pods, and ask the API server for labels'],
  [/^(?:agent|datadog|telegraf|netdata|newrelic|zabbix|node_exporter|sysdig|falco)/, 'discovery and figures: set its CRI socket, or docker_api.socket for what only reads'],
  [/^(?:docker|docker-compose|compose)/, 'somebody at the command line: gantry and crictl do it, docker_api.socket serves docker ps, logs, inspect, stats'],
  [/^(?:jenkins|java|gitlab-runner|drone|buildkitd|kaniko|act_runner|Runner)/, 'builds: BuildKit, Buildah or Kaniko need no Docker'],
  [/^(?:portainer|watchtower|traefik|dockergen|ouroboros)/, 'control of containers beside Kubernetes: it has to go, or keep Docker beside Gantry'],
  [/^kubelet/, 'the kubelet\'s own Docker client: it goes with this migration'],
];

/** `names` of pods by their uids: those that podNames finds. */
export async function findSocketUsers(names: ReadonlyMap<string, string>): Promise<SocketUser[]> {
  const [connected, mounted] = await Promise.all([connectedTo(), withMount()]);
  const users = new Map<number, SocketUser>();
  for (const [pid, how] of [...mounted.map((pid) => [pid, 'mounted'] as const), ...connected.map((pid) => [pid, 'connected'] as const)]) {
    const program = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
    if (program === '' || ofDocker.includes(program)) continue;
    users.set(pid, { pid, program, where: placeIn(await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''), names), how, purpose: purposeOf(program) });
  }
  return [...users.values()].sort((a, b) => a.pid - b.pid);
}

export function purposeOf(program: string): string | undefined {
  return purposes.find(([pattern]) => pattern.test(program))?.[1];
}

/** One process for each mount namespace that has the socket mounted; the node's own shows it as a file only. */
async function withMount(): Promise<number[]> {
  const own = await readlink('/proc/self/ns/mnt');
  const seen = new Map<string, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const namespace = await readlink(`/proc/${name}/ns/mnt`).catch(() => undefined);
    if (namespace === undefined || namespace === own || seen.has(namespace)) continue;
    seen.set(namespace, Number(name));
  }
  const found = await Promise.all([...seen.values()].map(async (pid) => (hasSocketMounted(await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')) ? [pid] : [])));
  return found.flat();
}

/** Whether a mount of the socket itself is among the lines of mountinfo: its root, or where it is mounted, is named like it. */
export function hasSocketMounted(mountinfo: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const words = line.split(' ');
    return socketNames.test(words[3] ?? '') || socketNames.test(words[4] ?? '');
  });
}

async function connectedTo(): Promise<number[]> {
  const { code, stdout } = await run('ss', ['--unix', '--processes', '--no-header'], { deadlineMs: 10_000, maxOutputBytes: 16 << 20 }).catch(() => ({ code: 1, stdout: Buffer.alloc(0) }));
  return code === 0 ? peersOf(stdout.toString()) : [];
}

/** Of the lines of ss(8): who has the other end of a connection of docker.sock. */
export function peersOf(lines: string): number[] {
  const connections = lines.split('\n').flatMap((line) => {
    // type state recv-q send-q local-path local-inode peer-path peer-inode users:(("name",pid=1,fd=3))
    const found = /^\S+\s+ESTAB\s+\d+\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)(.*)$/.exec(line);
    return found === null ? [] : [{ path: found[1]!, inode: found[2]!, peer: found[3]!, pids: [...found[4]!.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid)) }];
  });
  const served = new Set(connections.filter((one) => path.basename(one.path) === 'docker.sock').map(({ peer }) => peer));
  return [...new Set(connections.filter(({ inode }) => served.has(inode)).flatMap(({ pids }) => pids))];
}

/** The pod that a process is of, by the text of its /proc/PID/cgroup. */
export function placeIn(cgroup: string, names: ReadonlyMap<string, string>): string {
  const pod = /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})/.exec(cgroup)?.[1];
  const uid = pod?.replaceAll('_', '-');
  return uid === undefined ? 'host' : `pod ${names.get(uid) ?? uid}`;
}

/** The pods of both runtimes, by their uids; of one that cannot be asked, none. */
export async function podNames({ outside, survey }: Migration): Promise<Map<string, string>> {
  const pods = await Promise.all([outside.oldRuntime(survey.record.endpoint).pods().catch(() => []), outside.gantry.pods().catch(() => [])]);
  return new Map(pods.flat().map(({ uid, name }) => [uid, name]));
}
