/** Handlers of one node that differ: in network, root filesystems and filter, and in whether they work at all. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { SecurityProfile, SecurityProfile_ProfileType as ProfileType } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { makeTestNetwork } from '../support/test-network.ts';
import { assertFails, eventually, startWorkload, type Workload, type WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const skip = process.env.RUNTIME !== undefined && process.env.RUNTIME !== 'crun' && existsSync('/usr/bin/crun') ? 'the same with every OCI runtime: tested with crun' : false;

const folder = mkdtempSync(path.join(os.tmpdir(), 'handlers-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const confDir = path.join(folder, 'net.d');

function file(name: string, content: string, mode = 0o644): string {
  writeFileSync(path.join(folder, name), content, { mode });
  return path.join(folder, name);
}

const noMkdir = file('seccomp.json', JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }] }));
const real = '/usr/bin/crun';
const crashing = file('crashing', `#!/bin/sh\nfor word; do case $word in --version|create) echo "it is broken" >&2; kill -SEGV $$ ;; esac; done\nexec ${real} "$@"\n`, 0o755);
/** Until it is let go, it hangs at whatever it is asked. */
const hanging = file('hanging', `#!/bin/sh\nwhile [ ! -e ${folder}/go ]; do sleep 0.05; done\nexec ${real} "$@"\n`, 0o755);
const stuck = file('stuck', `#!/bin/sh\nfor word; do [ "$word" != create ] || exec sleep 600; done\nexec ${real} "$@"\n`, 0o755);

const odd = (settings: string): string => `[runtime.handlers.odd]\npath = "${real}"\n${settings}`;
const own = odd(`cni_conf_dir = "${confDir}"\nsnapshotter = "copy"\nseccomp_profile = "${noMkdir}"\n`);
const broken = `
[runtime.handlers.missing]
path = "${folder}/missing"
[runtime.handlers.crashing]
path = "${crashing}"
[runtime.handlers.hanging]
path = "${hanging}"
[runtime.handlers.stuck]
path = "${stuck}"
create_timeout = "1s"
`;

let node: Workload;
let prefix: string;
if (skip === false) {
  node = await startWorkload({ config: own + broken });
  const mark = `${path.basename(node.daemon.paths.dir).slice(0, 11)}odd`;
  const network = makeTestNetwork({ mark, confDir, dataDir: path.join(folder, 'ipam') });
  prefix = network.subnet.replace(/0\/24$/, '');
  after(async () => {
    await node.stop();
    network.remove();
  });
}

const ipOf = async (pod: WorkloadPod): Promise<string> => (await node.client.podSandboxStatus({ podSandboxId: pod.id })).status?.network?.ip ?? '';
const driverOf = async (containerId: string): Promise<string> => (JSON.parse((await node.client.containerStatus({ containerId, verbose: true })).info['info']!) as { snapshotter: string }).snapshotter;
const runtimeDefault = { seccomp: message(SecurityProfile, { profileType: ProfileType.RuntimeDefault }) };
const condition = async (type: string) => (await node.client.status()).status?.conditions.find((one) => one.type === type);

let kept: WorkloadPod;

test('two handlers of one node: each has its network, its snapshotter and its filter', { skip }, async () => {
  const ordinary = await node.runPod();
  kept = await node.runPod({}, 'odd');

  assert.ok((await ipOf(kept)).startsWith(prefix), await ipOf(kept));
  assert.ok(!(await ipOf(ordinary)).startsWith(prefix), await ipOf(ordinary));
  const [usual, copied] = [await node.runContainer(ordinary, { security: runtimeDefault }), await node.runContainer(kept, { security: runtimeDefault })];
  assert.deepEqual([await driverOf(usual), await driverOf(copied)], ['overlayfs', 'copy']);
  assert.equal(await node.sh(usual, 'mkdir /tmp/x && echo made'), 'made');
  assert.match(await node.sh(copied, 'mkdir /tmp/x 2>&1 || true'), /Operation not permitted/);
});

test('after a restart with other settings new pods have those, and a pod keeps what it was made with', { skip }, async () => {
  writeFileSync(node.daemon.paths.configFile, odd('') + broken);
  await node.daemon.restart();

  const other = await node.runPod({}, 'odd');
  assert.ok(!(await ipOf(other)).startsWith(prefix), await ipOf(other));
  const [later, inKept] = [await node.runContainer(other), await node.runContainer(kept)];
  assert.deepEqual([await driverOf(later), await driverOf(inKept)], ['overlayfs', 'copy']);
  const address = path.join(folder, 'ipam', path.basename(node.daemon.paths.dir).slice(0, 11) + 'odd', await ipOf(kept));
  assert.ok(existsSync(address), address);
  await node.removePod(kept);
  assert.ok(!existsSync(address), 'it was given back to the network that it came from');
});

test('handlers that are missing, crash or hang: the start waits for none, the status and the log name each, and their pods alone fail', { skip }, async () => {
  assert.equal((await condition('RuntimeReady'))?.status, true);
  const troubles = await condition('RuntimeHandlersReady');
  assert.deepEqual([troubles?.status, troubles?.reason], [false, 'HandlerCannotRun']);
  for (const told of [/missing: .*no program/, /crashing: .*it is broken/, /hanging: /]) assert.match(troubles!.message, told);
  assert.doesNotMatch(troubles!.message, /odd|stuck/);
  const offered = (await node.client.status()).runtimeHandlers.map(({ name }) => name);
  assert.deepEqual(['missing', 'crashing', 'hanging'].filter((name) => offered.includes(name)), []);
  await eventually(() => {
    for (const name of ['missing', 'crashing']) assert.match(node.daemon.log(), new RegExp(`is not offered.*"${name}"`));
    assert.match(node.daemon.log(), /this runtime handler does not answer.*"hanging"/);
  });

  const pods = await Promise.all(['missing', 'crashing', 'stuck'].map((name) => node.runPod({}, name)));
  const create = (n: number) => node.createContainer(pods[n]!);
  await assertFails(create(0), status.FAILED_PRECONDITION, /runtime handler missing: no program/);
  await assertFails(create(1), status.INTERNAL, /crashing: it is broken/);
  await assertFails(create(2), status.DEADLINE_EXCEEDED, /stuck did not finish within 1 s/);
  await node.runContainer(await node.runPod());
});

test('a handler that answers at last is offered, and makes pods', { skip }, async () => {
  writeFileSync(path.join(folder, 'go'), '');

  await eventually(async () => assert.ok((await node.client.status()).runtimeHandlers.some(({ name }) => name === 'hanging')));
  await node.runContainer(await node.runPod({}, 'hanging'));
});

test('of all these nothing is left once the pods are removed', { skip }, () => assertRemovalLeavesNothing(node.daemon));
