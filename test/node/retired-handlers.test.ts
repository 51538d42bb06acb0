/** A runtime handler that goes out of the configuration while pods of it run: they go on, and no pod is made with it any more. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState, NamespaceMode } from '../../src/gen/cri.ts';
import { assertFails, eventually, startWorkload, type WorkloadPod } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'gantry-retired-'));
after(() => rmSync(folder, { recursive: true }));
const baseSpec = path.join(folder, 'base.json');
writeFileSync(baseSpec, '{"process":{"env":["FROM_BASE=1"]}}');
const leaving = `[runtime.handlers.leaving]\npath = "/usr/bin/${process.env.RUNTIME ?? 'crun'}"\nbase_spec = "${baseSpec}"\nmin_memory = "16MiB"\n`;
const node = await startWorkload({ config: leaving });
after(() => node.stop());
const { client, daemon } = node;

interface Running {
  readonly pod: WorkloadPod;
  readonly id: string;
  readonly created: string;
}

/** A pod of the handler with a process of its own, a running container and a created one. */
async function runWithIt(): Promise<Running> {
  const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } }, 'leaving');
  const id = await node.runContainer(pod, { script: "trap 'exit 7' TERM; while true; do sleep 0.05; done", resources: { memoryLimitInBytes: 64n << 20n } });
  return { pod, id, created: await node.createContainer(pod) };
}

async function reload(text: string): Promise<void> {
  const before = daemon.log().length;
  writeFileSync(daemon.paths.configFile, text);
  process.kill(daemon.pid, 'SIGHUP');
  await eventually(() => assert.match(daemon.log().slice(before), /configuration reloaded/));
}

async function restartWith(text: string): Promise<void> {
  await daemon.stop();
  writeFileSync(daemon.paths.configFile, text);
  await daemon.restart();
}

async function assertOffered(wanted: boolean): Promise<void> {
  const { runtimeHandlers } = await client.status({ verbose: false });
  assert.equal(runtimeHandlers.some(({ name }) => name === 'leaving'), wanted);
  if (!wanted) await assertFails(node.runPod({}, 'leaving'), status.INVALID_ARGUMENT, /runtime_handler: find runtime handler "leaving": known are crun, runc/);
}

async function assertGoesOn({ pod, id, created }: Running): Promise<void> {
  await client.startContainer({ containerId: created });
  assert.equal(await node.sh(created, 'echo $FROM_BASE'), '1');
  await client.updateContainerResources({ containerId: id, linux: { ...(await node.statusOf(id)).resources!.linux!, cpuShares: 77n } });
  await assertFails(client.updateContainerResources({ containerId: id, linux: { ...(await node.statusOf(id)).resources!.linux!, memoryLimitInBytes: 1n << 20n } }), status.INVALID_ARGUMENT, /check linux\.memory_limit_in_bytes: 1048576 is less than the 16777216 bytes/);
  assert.equal(await node.outputOf(pod, { script: 'echo $FROM_BASE' }), '1\n');
  const { containers } = await client.listContainers({ filter: { id: '', state: undefined, podSandboxId: pod.id, labelSelector: {} } });
  assert.equal(containers.filter(({ state }) => state === ContainerState.CONTAINER_RUNNING).length, 2);
  assert.equal((await client.podSandboxStatus({ podSandboxId: pod.id })).status?.runtimeHandler, 'leaving');
}

async function assertEnds({ pod, id, created }: Running): Promise<void> {
  await client.stopContainer({ containerId: id, timeout: 20n });
  assert.equal((await node.statusOf(id)).exitCode, 7);
  await client.removeContainer({ containerId: created });
  await node.removePod(pod);
  assert.deepEqual([id, created, pod.id].filter((name) => existsSync(path.join(daemon.paths.state, 'oci', 'leaving', name))), []);
  await assertNoTraces(daemon);
}

test('after a reload', async () => {
  const running = await runWithIt();

  await reload('');

  await assertOffered(false);
  await assertGoesOn(running);
  await assertEnds(running);
});

test('after a reload, a restart and a crash', async () => {
  await reload(leaving);
  const running = await runWithIt();
  const other = await runWithIt();

  await reload('');
  await daemon.kill9();
  await daemon.restart();
  assert.match(daemon.log(), /this runtime handler is not configured any more.*leaving/);
  await assertOffered(false);
  await assertGoesOn(running);
  await node.removePod(running.pod);

  await restartWith('');
  await assertGoesOn(other);
  await assertEnds(other);
});

test('one whose base spec is gone ends its pods and makes no containers without it', async () => {
  await reload(leaving);
  const running = await runWithIt();
  rmSync(baseSpec);

  await restartWith('');

  await assertFails(node.createContainer(running.pod), status.FAILED_PRECONDITION, /make a container with runtime handler "leaving": it was taken out of the configuration: put \[runtime\.handlers\.leaving\] back, or make the pod anew with another handler/);
  assert.equal(await node.sh(running.id, 'echo $FROM_BASE'), '1');
  await assertEnds(running);
  writeFileSync(baseSpec, '{"process":{"env":["FROM_BASE=1"]}}');
});

test('one of which nothing is known is named, and its containers can be stopped and removed', async () => {
  await restartWith(leaving);
  const running = await runWithIt();
  await daemon.stop();
  const database = new DatabaseSync(path.join(daemon.paths.root, 'gantry.db'));
  database.exec("DELETE FROM record_handler WHERE id = 'leaving'");
  database.close();

  await restartWith('');

  await assertFails(client.execSync({ containerId: running.id, cmd: ['true'], timeout: 10n }), status.FAILED_PRECONDITION, /find runtime handler "leaving": it was taken out of the configuration: put \[runtime\.handlers\.leaving\] back, or remove what it runs/);
  await assertFails(client.startContainer({ containerId: running.created }), status.FAILED_PRECONDITION, /"leaving": it was taken out of the configuration/);
  await assertEnds(running);
});

test('of all these nothing is left, and a handler without pods is forgotten', async () => {
  await restartWith('');
  await assertRemovalLeavesNothing(daemon);
  await daemon.stop();

  const database = new DatabaseSync(path.join(daemon.paths.root, 'gantry.db'), { readOnly: true });
  assert.deepEqual(database.prepare('SELECT id FROM record_handler ORDER BY id').all().map(({ id }) => id), ['crun', 'runc']);
  database.close();
});
