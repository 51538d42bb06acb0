/** What the pods of one daemon have on the machine, so that a test can say that nothing of them is left. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { cgroupDriver, removePods, type Daemon } from './daemon.ts';
import { processesOf } from './leftovers.ts';
import { eventually } from './workload.ts';

/** Holds nothing of a pod: the daemon's own folders below these are there from its start to its end. */
const podFolders = ['s/pods', 's/containers', 's/layers', 's/exits', 's/oci/crun', 's/oci/runc', 's/oci/runsc', 'r/containers', 'r/cni', 'r/staging'];

/** Ids of pods and containers as the daemon logs them: also those of which no caller has heard. */
const idForm = /\b[0-9a-f]{64}\b/g;

/** One readable line for each thing that a pod or container of this daemon has on the machine now. */
export function tracesOf(daemon: Daemon): string[] {
  const ids = new Set(daemon.log().match(idForm) ?? []);
  return [
    ...files(daemon),
    ...ledger(daemon),
    ...mounts(daemon),
    ...processes(daemon),
    ...cgroups(daemon, ids),
    ...units(ids),
    ...bridgePorts(daemon),
    ...leases(daemon),
    ...firewall(daemon, ids),
  ];
}

/** Throws unless every trace of pods goes away within some seconds (a kernel takes its time with namespaces). */
export async function assertNoTraces(daemon: Daemon): Promise<void> {
  await eventually(() => {
    const traces = tracesOf(daemon);
    if (traces.length > 0) assert.fail(`${traces.length} things are left:\n${traces.slice(0, 40).join('\n')}`);
  }, 5000);
}

/** Removes every pod through the daemon; then there must be no trace of any. */
export async function assertRemovalLeavesNothing(daemon: Daemon): Promise<void> {
  await removePods(daemon.client);
  await assertNoTraces(daemon);
}

function files(daemon: Daemon): string[] {
  return podFolders.flatMap((folder) => filesBelow(path.join(daemon.paths.dir, folder)).map((name) => `file ${folder}/${name}`));
}

/** Folders count, but for those of the CNI cache, which are the networks'. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true, recursive: folder.endsWith('/cni') });
  return entries.filter((entry) => !folder.endsWith('/cni') || !entry.isDirectory()).map((entry) => entry.name);
}

function ledger(daemon: Daemon): string[] {
  const database = new DatabaseSync(path.join(daemon.paths.root, 'gantry.db'), { readOnly: true });
  try {
    return database.prepare('SELECT owner, kind FROM ledger').all().map(({ owner, kind }) => `ledger ${String(kind)} of ${String(owner)}`);
  } finally {
    database.close();
  }
}

function mounts({ paths }: Daemon): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '');
  // Its root may lie on a filesystem of its own.
  return points.filter((point) => point.startsWith(`${paths.dir}/`) && point !== paths.root).map((point) => `mount ${point}`);
}

function processes(daemon: Daemon): string[] {
  const found = processesOf({ mark: daemon.network.name, dir: daemon.paths.dir }).filter(({ pid }) => pid !== daemon.pid);
  return found.map(({ pid, command }) => `process ${pid} ${command}`);
}

function cgroups({ network }: Daemon, ids: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  const walk = (folder: string): void => {
    for (const name of foldersIn(folder)) {
      const child = path.join(folder, name);
      // A cgroup parent belongs to whoever named it, as to the kubelet; what is below it was made for the pod.
      const isBelowParent = new RegExp(`/${network.name}(\\.slice)?/[^/]+/`).test(child);
      if (isBelowParent || ids.has(name.replace(/^pod|^gantry-|\.scope$/g, ''))) found.add(`cgroup ${child.replace(/^\/sys\/fs\/cgroup\/[^/]+/, '')}`);
      walk(child);
    }
  };
  walk('/sys/fs/cgroup');
  return [...found];
}

/** Scopes that systemd still knows, as it does those that failed until somebody collects them. */
function units(ids: ReadonlySet<string>): string[] {
  if (cgroupDriver !== 'systemd') return [];
  const { stdout } = spawnSync('systemctl', ['list-units', '--all', '--plain', '--no-legend', '--full', 'gantry-*.scope'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => [...ids].some((id) => line.includes(id))).map((line) => `unit ${line.trim()}`);
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // gone meanwhile
  }
}

function bridgePorts({ network }: Daemon): string[] {
  const folder = `/sys/class/net/${network.bridge}/brif`;
  return existsSync(folder) ? readdirSync(folder).map((port) => `interface ${port}`) : [];
}

/** host-local keeps a file for each address, which begins with the id of its pod. */
function leases({ network, paths }: Daemon): string[] {
  const folder = path.join(paths.dir, 'ipam', network.name);
  const addresses = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]+[.:]/.test(name)) : [];
  return addresses.map((address) => `address ${address} of ${readFileSync(path.join(folder, address), 'utf8').split(/\s/)[0]}`);
}

/** Rules that name the network in their comment, and the chains that the plugins name after network and pod. */
function firewall({ network }: Daemon, ids: ReadonlySet<string>): string[] {
  const lines = ['iptables', 'ip6tables'].flatMap((program) => spawnSync(`${program}-save`, { encoding: 'utf8' }).stdout.split('\n'));
  const chains = new Set([...ids].flatMap((id) => chainNames(network.name, id)));
  const isOurs = (line: string): boolean => line.includes(`"${network.name}\\"`) || line.includes(`"${network.name}"`) || chains.has(/^:(\S+)/.exec(line)?.[1] ?? '');
  return lines.filter(isOurs).map((line) => `firewall ${line}`);
}

/** The chains of bridge (masquerading) and portmap: names of 28 characters that begin with a hash of both. */
function chainNames(network: string, id: string): string[] {
  const hash = createHash('sha512').update(network + id).digest('hex');
  return ['CNI-', 'CNI-DN-'].map((prefix) => `${prefix}${hash}`.slice(0, 28));
}
