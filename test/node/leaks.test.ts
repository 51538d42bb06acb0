/**
 * What the daemon has forgotten of pods that it made is found on the host and cleared, and nothing else is touched; what it cannot
 * undo when it is asked to is told, remembered and undone later.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { AdminService } from '../../src/gen/admin.ts';
import type { ListLeaksResponse } from '../../src/gen/admin.ts';
import { ContainerState, NamespaceMode, PodSandboxState, PortMapping, Protocol } from '../../src/gen/cri.ts';
import { detectCgroups, hierarchies } from '../../src/part/cgroup/cgroup-layout.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertNoTraces, tracesOf } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { daemon, client } = node;
const { root, state } = daemon.paths;
const layout = detectCgroups();
const freezer = layout.controllers.get('freezer');

function gantry(...args: string[]): { code: number | null; out: string; err: string } {
  const program = path.join(import.meta.dirname, '../../bin/gantry');
  const { status: code, stdout, stderr } = spawnSync(program, [...args, '--socket', daemon.paths.socket], { encoding: 'utf8' });
  return { code, out: stdout, err: stderr };
}

const admin = new Client(`unix:${daemon.paths.socket}`, credentials.createInsecure());
after(() => admin.close());

function listed(): Promise<ListLeaksResponse> {
  const { path: method, requestSerialize, responseDeserialize } = AdminService.listLeaks;
  return new Promise((resolve, reject) => {
    admin.makeUnaryRequest(method, requestSerialize, responseDeserialize, {}, new Metadata({ waitForReady: true }), (error, answer) => (error ? reject(error) : resolve(answer!)));
  });
}

const tracesNaming = (ids: readonly string[]): string[] => tracesOf(daemon).filter((trace) => ids.some((id) => trace.includes(id)));

/** As if the database had never heard of them. */
function forget(ids: readonly string[]): void {
  const database = new DatabaseSync(path.join(root, 'gantry.db'));
  for (const id of ids) {
    for (const table of ['record_pod', 'record_container']) database.prepare(`DELETE FROM ${table} WHERE id = ?`).run(id);
    database.prepare('DELETE FROM ledger WHERE owner = ?').run(id);
  }
  database.close();
}

test('every kind of thing that nobody owns is named and cleared, and what runs or is of others stays as it is', async () => {
  const witness = await node.runPod({ config: { portMappings: [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort: 20_401 })] } });
  const running = await node.runContainer(witness);
  const address = await node.addressOf(witness);
  const lost = await node.runPod({ cgroupParent: '', namespaces: { pid: NamespaceMode.POD }, config: { portMappings: [message(PortMapping, { protocol: Protocol.TCP, containerPort: 80, hostPort: 20_402 })] } });
  const lostContainer = await node.runContainer(lost);
  const ids = [lost.id, lostContainer];
  assert.deepEqual(await listed(), { leaks: [], debts: [], unseen: [] });

  await daemon.kill9();
  forget(ids);
  const cache = path.join(root, 'cni');
  const saved = mkdtempSync(path.join(os.tmpdir(), 'cni-cache-'));
  for (const name of readdirSync(cache).filter((file) => file.startsWith(lost.id))) {
    cpSync(path.join(cache, name), path.join(saved, name));
    rmSync(path.join(cache, name)); // or the start would detach it
  }
  await daemon.restart();
  cpSync(saved, cache, { recursive: true });
  rmSync(saved, { recursive: true });
  const made = [path.join(state, 'layers', lost.id.slice(0, 16)), ...['staging', 'layers', 'outlines'].map((folder) => path.join(root, folder, 'zzzz'))];
  for (const folder of made) mkdirSync(folder);
  writeFileSync(path.join(state, 'exits', lostContainer), '0');
  const stranger = randomBytes(32).toString('hex');
  const strangers = hierarchies(layout).map((mount) => path.join(mount, daemon.network.name, stranger));
  for (const cgroup of strangers) mkdirSync(cgroup, { recursive: true });
  const lease = path.join(daemon.paths.dir, 'ipam', daemon.network.name, daemon.network.subnet.replace('0/24', '250'));
  writeFileSync(lease, `${stranger}\r\neth0`);

  const { leaks, unseen } = await listed();

  const kinds = [...new Set(leaks.map(({ kind }) => kind))];
  assert.deepEqual(unseen, []);
  assert.deepEqual(kinds, [
    'monitor', 'runtime container', 'cgroup', 'attachment', 'interface', 'address', 'firewall', 'namespace', 'mount', 'exit file', 'bundle',
    'pod directory', 'mapped layers', 'writable layer', 'staging', 'layer', 'outline',
  ]);
  assert.deepEqual([...new Set(leaks.map(({ owner }) => owner))].sort(), [...ids, lost.id.slice(0, 16), 'zzzz'].sort());
  for (const trace of tracesNaming(ids)) assert.ok(ids.some((id) => trace.includes(id) && leaks.some(({ owner }) => owner === id)), trace);
  const { code, out, err } = gantry('leaks', '--clear', '--yes');

  assert.equal(code, 0, err);
  assert.match(out, new RegExp(`\\ncleared ${leaks.length} of ${leaks.length}\\n$`));
  assert.deepEqual(await listed(), { leaks: [], debts: [], unseen: [] });
  await eventually(() => assert.deepEqual(tracesNaming(ids), []));
  for (const folder of made) assert.ok(!existsSync(folder), folder);
  assert.ok(existsSync(strangers[0]!), 'a cgroup of another runtime');
  assert.ok(existsSync(lease), 'an address of another runtime');
  assert.equal(await node.sh(running, 'echo inside; ip -4 -o addr show eth0 | grep -c inet'), 'inside\n1');
  assert.equal(await node.addressOf(witness), address);
  assert.equal((await node.statusOf(running)).state, ContainerState.CONTAINER_RUNNING);

  for (const cgroup of strangers) rmdirSync(cgroup);
  rmSync(lease);
  await node.removePod(witness);
  await assertNoTraces(daemon);
});

test('a removal that meets a mount of somebody else leaves it and its files alone, does the rest, and succeeds once it is gone', async () => {
  const pod = await node.runPod();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'precious-'));
  writeFileSync(path.join(folder, 'file'), 'precious');
  const point = path.join(state, 'pods', pod.id, 'hostname');
  assert.equal(spawnSync('mount', ['--bind', path.join(folder, 'file'), point]).status, 0);

  await client.stopPodSandbox({ podSandboxId: pod.id });
  await assertFails(client.removePodSandbox({ podSandboxId: pod.id }), status.FAILED_PRECONDITION, /remove pod default\/pod-\d+: .*somebody has mounted something there: unmount .*\/hostname$/);

  assert.deepEqual((await listed()).debts.map(({ owner, what }) => [owner, what]), [[pod.id, 'pod-directory']]);
  assert.deepEqual(tracesNaming([pod.id]).filter((trace) => !trace.startsWith('ledger pod-directory')).map((trace) => trace.split(' ')[0]), ['file', 'mount']);
  assert.equal(readFileSync(path.join(folder, 'file'), 'utf8'), 'precious');
  assert.equal(spawnSync('umount', [point]).status, 0);
  await node.removePod(pod);
  assert.deepEqual(await listed(), { leaks: [], debts: [], unseen: [] });
  rmSync(folder, { recursive: true });
  await assertNoTraces(daemon);
});

// Frozen there, a process outlives SIGKILL as one does that the kernel holds in uninterruptible I/O.
test('a pod in a frozen cgroup: the stop says so and gives its network back; a daemon later, when it is thawed, the rest is done in the background', { skip: freezer === undefined && 'cgroup v2 lets frozen processes be killed' }, async (t) => {
  const pod = await node.runPod();
  const id = await node.runContainer(pod);
  const freeze = (word: string): void => {
    const file = path.join(freezer!, pod.config.linux!.cgroupParent, 'freezer.state');
    if (existsSync(file)) writeFileSync(file, word);
  };
  t.after(() => freeze('THAWED')); // or nothing could clean up
  freeze('FROZEN');

  await assertFails(client.stopPodSandbox({ podSandboxId: pod.id }), status.FAILED_PRECONDITION, /stop pod default\/pod-\d+: stop container [0-9a-f]{64}: cgroup \/.*\/pod-\d+ is frozen, and its process \d+ with it: it has been sent SIGKILL and ends when that cgroup is thawed$/);

  assert.equal((await client.podSandboxStatus({ podSandboxId: pod.id })).status?.state, PodSandboxState.SANDBOX_NOTREADY);
  assert.deepEqual(tracesNaming([pod.id]).filter((trace) => trace.startsWith('address') || trace.startsWith('ledger network')), []);
  assert.deepEqual((await listed()).debts.map(({ owner, what }) => [owner, what]), [[pod.id, 'container']]);
  await daemon.restart();
  await eventually(async () => assert.deepEqual((await listed()).debts.map(({ owner, what }) => [owner, what]), [[pod.id, 'container']]), 30_000);
  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING, 'it has not ended, and nobody says so');
  freeze('THAWED');
  assert.equal((await node.ended(id)).exitCode, 137);
  await eventually(async () => assert.deepEqual((await listed()).debts, []), 15_000);
  const told = (sentence: string): number => daemon.log().split('\n').filter((line) => line.includes(sentence) && line.includes(pod.id)).length;
  assert.deepEqual([told('cannot undo this yet'), told('undone at last')], [2, 1], 'each daemon says once what it waits for');
  await node.removePod(pod);
  await assertNoTraces(daemon);
});
