/** CNI plugins that are absent, fail, hang or talk nonsense: the message says which and why, and nothing is left. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { PodSandboxState } from '../../src/gen/cri.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertNoTraces, tracesOf } from '../support/workload-traces.ts';

const plugins = mkdtempSync(path.join(os.tmpdir(), 'plugins-'));
after(() => rmSync(plugins, { recursive: true, force: true }));
const node = await startWorkload({ config: `[cni]\nbin_dirs = ["${plugins}", "/opt/cni/bin", "/usr/lib/cni"]\ntimeout = "1s"\n` });
after(() => node.stop());
const { daemon, client } = node;

/** Makes the plugin `fake`, the last of the list. What it does for a verb is shell text; by default it passes on what it gets. */
function plugin(behaviour: { ADD?: string; DEL?: string } = {}): void {
  const passOn = `printf '%s' "$request" | sed 's/.*"prevResult"://; s/}$//'`;
  writeFileSync(path.join(plugins, 'fake'), `#!/bin/sh
request=$(cat)
case $CNI_COMMAND in
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}' ;;
ADD) ${behaviour.ADD ?? passOn} ;;
DEL) ${behaviour.DEL ?? 'true'} ;;
esac
`, { mode: 0o755 });
}

/** Shell text that fails as CNI wants it. */
const failing = (code: number, msg: string): string => `echo '${JSON.stringify({ cniVersion: '1.0.0', code, msg })}'; exit 1`;

function configure(type: string): void {
  const list = daemon.network.conflist as { plugins: object[] };
  writeFileSync(path.join(daemon.paths.cniConfDir, '10-test.conflist'), JSON.stringify({ ...list, plugins: [...list.plugins, { type }] }));}

configure('fake');
await daemon.restart();
beforeEach(() => plugin());
afterEach(() => assertNoTraces(daemon));

test('with a plugin that does its work a pod runs', async () => {
  const pod = await node.runPod();

  assert.notEqual(await node.addressOf(pod), '');
  await node.removePod(pod);
});

test('an absent plugin: which, and where it was looked for; the node is not ready', async () => {
  configure('no-such-plugin');
  await eventually(async () => {
    const { status: condition } = await client.status();
    assert.match(condition?.conditions.find(({ type }) => type === 'NetworkReady')?.message ?? '', /there is no executable no-such-plugin/);
  });

  await assertFails(node.runPod(), status.FAILED_PRECONDITION, /run pod default\/pod-\d+: .*plugin no-such-plugin.*there is no executable no-such-plugin in .*; install the plugin/);

  configure('fake');
  await eventually(async () => assert.ok((await client.status()).status?.conditions.every((condition) => condition.status)));
});

test('a plugin that fails is quoted, and what the others did before it is undone', async () => {
  plugin({ ADD: failing(100, 'the fabric is on fire') });

  await assertFails(node.runPod(), status.INTERNAL, /run pod default\/pod-\d+: CNI ADD with plugin fake on network \S+: the fabric is on fire; CNI code 100/);
});

test('a plugin that says to try again later is unavailable', async () => {
  plugin({ ADD: failing(11, 'no addresses just now') });

  await assertFails(node.runPod(), status.UNAVAILABLE, /no addresses just now/);
});

test('a plugin that talks nonsense', async () => {
  plugin({ ADD: 'echo hello' });

  await assertFails(node.runPod(), status.INTERNAL, /CNI ADD with plugin fake.*its answer is not JSON: "hello"/);
});

test('a plugin that crashes', async () => {
  plugin({ ADD: 'echo about to crash >&2; kill -SEGV $$' });

  await assertFails(node.runPod(), status.INTERNAL, /CNI ADD with plugin fake.*it ended with code 139.*about to crash/);
});

test('a plugin that hangs is killed with its children at the deadline, and other pods do not wait for it', async () => {
  plugin({ ADD: `if echo "$CNI_ARGS" | grep -q hanging; then sleep 600 & sleep 600; else printf '%s' "$request" | sed 's/.*"prevResult"://; s/}$//'; fi` });
  const began = Date.now();

  const hanging = assertFails(node.runPod({ name: 'hanging' }), status.DEADLINE_EXCEEDED, /run pod default\/hanging: CNI ADD with plugin fake.*did not finish within 1000 ms and was killed/);
  const other = await node.runPod();

  assert.ok(Date.now() - began < 1000, 'the other pod was quick');
  await hanging;
  await node.removePod(other);
});

test('when the caller goes away the pod is finished all the same, and the same call made again gets it', async () => {
  plugin({ ADD: `echo >> ${plugins}/adds; sleep 0.5; printf '%s' "$request" | sed 's/.*"prevResult"://; s/}$//'` });
  const config = node.podConfig();

  await assertFails(client.runPodSandbox({ config }, { deadlineMs: 200 }), status.DEADLINE_EXCEEDED, /./);
  const { podSandboxId } = await client.runPodSandbox({ config });

  assert.deepEqual((await client.listPodSandbox()).items.map(({ id }) => id), [podSandboxId]);
  assert.equal(readFileSync(path.join(plugins, 'adds'), 'utf8'), '\n', 'it was attached once');
  await node.removePod({ id: podSandboxId, config });
});

test('a DEL that fails keeps the pod until it succeeds; meanwhile the message says why', async () => {
  const pod = await node.runPod();
  plugin({ DEL: failing(100, 'cannot let go') });

  await assertFails(client.stopPodSandbox({ podSandboxId: pod.id }), status.INTERNAL, /stop pod default\/pod-\d+: .*CNI DEL with plugin fake.*cannot let go/);
  await assertFails(client.removePodSandbox({ podSandboxId: pod.id }), status.INTERNAL, /cannot let go/);
  const { status: stuck } = await client.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(stuck?.state, PodSandboxState.SANDBOX_NOTREADY);

  plugin();
  await client.stopPodSandbox({ podSandboxId: pod.id });
  await client.removePodSandbox({ podSandboxId: pod.id });
});

test('a DEL that hangs is killed, and can be tried again', async () => {
  const pod = await node.runPod();
  plugin({ DEL: 'sleep 600' });

  await assertFails(client.stopPodSandbox({ podSandboxId: pod.id }), status.DEADLINE_EXCEEDED, /CNI DEL with plugin fake.*did not finish within 1000 ms/);

  plugin();
  await node.removePod(pod);
});

test('when the undo of a failed ADD fails too, the first failure is told, and the debt is paid at the next start', async () => {
  plugin({ ADD: failing(100, 'first failure'), DEL: failing(100, 'second failure') });

  await assertFails(node.runPod(), status.INTERNAL, /first failure/);

  assert.notDeepEqual(tracesOf(daemon).filter((trace) => trace.startsWith('ledger network')), [], 'the debt is on record');
  plugin();
  await daemon.restart();
});

test('a daemon that is killed while a plugin works undoes that pod at its next start', async () => {
  plugin({ ADD: `touch ${plugins}/begun; sleep 600` });
  const running = node.runPod().catch(() => {});
  await eventually(() => rmSync(path.join(plugins, 'begun')));

  await daemon.kill9();
  await running;
  plugin();
  await daemon.restart();

  assert.deepEqual((await client.listPodSandbox()).items, []);
});

test('without the plugin of its network a pod cannot be stopped; once it is back it can', async () => {
  const pod = await node.runPod();
  rmSync(path.join(plugins, 'fake'));

  await assertFails(client.stopPodSandbox({ podSandboxId: pod.id }), status.FAILED_PRECONDITION, /there is no executable fake in/);

  plugin();
  await node.removePod(pod);
});
