/** Devices: by path, by directory, by CDI name; what their edits and the node's hooks do, and what the device cgroup keeps out. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Device } from '../../src/gen/cri.ts';
import type { ContainerConfig, LinuxContainerSecurityContext } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import { assertRemovalLeavesNothing, tracesOf } from '../support/workload-traces.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'gantry-devices-'));
const [cdiLow, cdiHigh, hooksDir, ran] = ['cdi-low', 'cdi-high', 'hooks', 'ran'].map((name) => path.join(folder, name)) as [string, string, string, string];
for (const made of [cdiLow, cdiHigh, hooksDir, ran]) mkdirSync(made);
after(() => rmSync(folder, { recursive: true, force: true }));

const runtime = process.env.RUNTIME ?? 'crun';
const config = `
[runtime.handlers.bare]
path = "/usr/bin/${runtime}"
privileged_without_host_devices = true
[runtime.handlers.free]
path = "/usr/bin/${runtime}"
privileged_without_host_devices = true
privileged_without_host_devices_all_devices_allowed = true
[cdi]
dirs = ["${cdiLow}", "${cdiHigh}"]
[hooks]
dirs = ["${hooksDir}"]
`;
const node = await startWorkload({ config });
after(() => node.stop());
const pod = await node.runPod();

/** A hook that keeps what the runtime tells it (the container's state) in a file of this name. */
const keepState = (name: string): { path: string; args: string[] } => ({ path: '/bin/sh', args: ['sh', '-c', `cat >> ${ran}/${name}; echo >> ${ran}/${name}`] });

function cdiFile(file: string, devices: Record<string, object>, change: object = {}): void {
  const list = Object.entries(devices).map(([name, containerEdits]) => ({ name, containerEdits }));
  writeFileSync(file, JSON.stringify({ cdiVersion: '0.7.0', kind: 'test.example/gpu', devices: list, ...change }));
}

function hookFile(name: string, when: object, stages: readonly string[], hook: object = keepState(name)): void {
  writeFileSync(path.join(hooksDir, `${name}.json`), JSON.stringify({ version: '1.0.0', hook, when, stages }));
}

/** How often the hook of this name ran, for whom and in which states. */
function runsOf(name: string): { id: string; status: string }[] {
  const file = readdirSync(ran).includes(name) ? readFileSync(path.join(ran, name), 'utf8') : '';
  return file.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as { id: string; status: string });
}

const field = (...names: string[]): Partial<ContainerConfig> => ({ CDIDevices: names.map((name) => ({ name })) });
const asked = (hostPath: string, containerPath: string, permissions = 'rw'): Partial<ContainerConfig> => ({ devices: [message(Device, { hostPath, containerPath, permissions })] });

/** A creation that must be refused, and leave nothing. */
async function assertRefused(change: Partial<ContainerConfig>, code: status, pattern: RegExp): Promise<void> {
  const before = new Set(tracesOf(node.daemon));
  await assertFails(node.createContainer(pod, { config: change }), code, pattern);
  await eventually(() => assert.deepEqual(tracesOf(node.daemon).filter((trace) => !before.has(trace)), []));
}

writeFileSync(path.join(folder, 'library'), 'a library of the vendor\n');
const whole = {
  env: ['GPU_MODEL=one'],
  deviceNodes: [{ path: '/dev/gpu0', hostPath: '/dev/fuse', permissions: 'r', fileMode: 0o644 }],
  mounts: [{ hostPath: path.join(folder, 'library'), containerPath: '/usr/lib/gpu/library', options: ['ro', 'nosuid', 'nodev', 'bind'] }],
  hooks: [{ hookName: 'createRuntime', ...keepState('cdi') }, { hookName: 'startContainer', path: '/bin/sh', args: ['sh', '-c', 'cat > /dev/null; touch /tmp/from-hook'] }],
  additionalGids: [4044],
};
cdiFile(path.join(cdiLow, 'gpu.json'), { one: whole, two: { env: ['GPU_MODEL=two'] } }, { containerEdits: { env: ['GPU_DRIVER=7'] } });

const look = `echo $GPU_MODEL $GPU_DRIVER; stat -c '%F %t:%T %u %g' /dev/gpu0; cat /usr/lib/gpu/library; ls /tmp/from-hook; id -G | grep -c 4044;
  (: < /dev/gpu0) && echo read; (: > /dev/gpu0) 2>/dev/null || echo not written`;
const seen = (user: number): string => `one 7\ncharacter special file a:e5 ${user} ${user}\na library of the vendor\n/tmp/from-hook\n1\nread\nnot written\n`;

test('a CDI device of the field brings variable, node, mount, group and hooks', async () => {
  const before = runsOf('cdi').length;

  const id = await node.runContainer(pod, { script: look, config: field('test.example/gpu=one') });
  await node.ended(id);

  assert.equal((await node.log(id)).map(({ text }) => `${text}\n`).join(''), seen(0));
  assert.deepEqual(runsOf('cdi').slice(before).map((run) => run.id), [id]);
});

test('the annotation of old asks for the same, and both together once; the node is the user\'s', async () => {
  const before = runsOf('cdi').length;
  const annotations = { 'cdi.k8s.io/test.example_gpu': 'test.example/gpu=one' };

  const output = await node.outputOf(pod, { script: look, security: { runAsUser: { value: 1000n } }, config: { ...field('test.example/gpu=one'), annotations } });
  assert.equal(output, seen(1000));
  assert.equal(await node.outputOf(pod, { script: look, config: { annotations } }), seen(0));

  assert.equal(runsOf('cdi').length, before + 2);
});

test('a spec file that was just written counts, a later folder overrides, and what was taken away is gone', async () => {
  const model = (): Promise<string> => node.outputOf(pod, { script: 'echo $GPU_MODEL $GPU_DRIVER', config: field('test.example/gpu=two') });
  const override = path.join(cdiHigh, 'other.yaml');
  assert.equal(await model(), 'two 7\n');

  writeFileSync(override, 'cdiVersion: "0.3.0"\nkind: test.example/gpu\ndevices:\n- name: two\n  containerEdits:\n    env: [GPU_MODEL=overridden]\n');
  assert.equal(await model(), 'overridden\n');

  rmSync(override);
  assert.equal(await model(), 'two 7\n');
});

test('names that are none, devices that are not there or claimed twice are refused, and nothing is left', async (t) => {
  const other = path.join(cdiLow, 'same.json');
  t.after(() => rmSync(other, { force: true }));

  await assertRefused(field('gpu0'), status.INVALID_ARGUMENT, /check config\.CDI_devices\[0\]\.name: "gpu0" is no name of a CDI device/);
  await assertRefused({ annotations: { 'cdi.k8s.io/x': 'test.example/gpu=one,' } }, status.INVALID_ARGUMENT, /check config\.annotations\[cdi\.k8s\.io\/x\]: "" is no name of a CDI device/);
  await assertRefused(field('test.example/gpu=nine'), status.FAILED_PRECONDITION, /inject CDI device test\.example\/gpu=nine: .*gpu\.json has of this kind only one, two; looked in/);
  await assertRefused(field('test.example/nic=one'), status.FAILED_PRECONDITION, /no file describes devices of test\.example\/nic; looked in .*gpu\.json/);
  cdiFile(other, { two: { env: ['GPU_MODEL=claimed'] } });
  await assertRefused(field('test.example/gpu=two'), status.FAILED_PRECONDITION, /gpu\.json and .*same\.json both describe it/);
  cdiFile(other, { three: { deviceNodes: [{ path: '/dev/absent-gpu' }] } });
  await assertRefused(field('test.example/gpu=three'), status.FAILED_PRECONDITION, /its device node \/dev\/absent-gpu cannot be used: there is no such file on this node/);
  cdiFile(other, { three: { hooks: [{ hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', 'exit 3'] }] } });
  await assertRefused(field('test.example/gpu=three'), status.FAILED_PRECONDITION, /(error|failure) (executing|running) hook/);
});

test('a broken spec file breaks no other device, and the verbose status tells of it', async (t) => {
  const broken = path.join(cdiHigh, 'broken.json');
  writeFileSync(broken, JSON.stringify({ cdiVersion: '0.4.0', kind: 'test.example/gpu', devices: [{ name: 'one', containerEdits: { mount: [] } }] }));
  t.after(() => rmSync(broken));

  assert.equal(await node.outputOf(pod, { script: 'echo $GPU_MODEL', config: field('test.example/gpu=two') }), 'two\n');

  const { info } = await node.client.status({ verbose: true });
  assert.deepEqual(JSON.parse(info.cdi!), {
    folders: [cdiLow, cdiHigh],
    devices: ['test.example/gpu=one', 'test.example/gpu=two'],
    problems: [{ path: broken, problem: 'devices[0].containerEdits.mount is not known: known are env, deviceNodes, netDevices, hooks, mounts, intelRdt, additionalGids' }],
  });
  assert.match(node.daemon.log(), /CDI spec file left out/);
});

test('a device outside the list can be made but not opened, unless it is privileged', async () => {
  const script = 'mknod /tmp/x c 10 229 && echo made; (: < /tmp/x) 2>&1 | grep -o "not permitted"; [ -e /dev/fuse ] || echo absent';

  assert.equal(await node.outputOf(pod, { script }), 'made\nnot permitted\nabsent\n');
  assert.equal(await node.outputOf(pod, { script: 'mknod /tmp/x c 10 229; (: < /tmp/x) && (: < /dev/fuse) && echo opened', security: { privileged: true } }), 'opened\n');
});

test('a directory of devices is given with what lies below it, a symlink is followed, and permissions hold', async () => {
  const devices = path.join(folder, 'nodes');
  mkdirSync(path.join(devices, 'below'), { recursive: true });
  for (const [name, ...numbers] of [['fuse', '10', '229'], ['below/zero', '1', '5']] as const) assert.equal(spawnSync('mknod', [path.join(devices, name), 'c', ...numbers]).status, 0);
  symlinkSync(devices, path.join(folder, 'alias'));

  const script = '(: < /dev/all/fuse) && echo opened; head -c 1 /dev/all/below/zero | wc -c; (: > /dev/all/fuse) 2>/dev/null || echo not written';

  assert.equal(await node.outputOf(pod, { script, config: asked(path.join(folder, 'alias'), '/dev/all', 'r') }), 'opened\n1\nnot written\n');
  assert.equal(await node.outputOf(pod, { script: '(: < /dev/one) && echo opened', config: asked(path.join(folder, 'alias/fuse'), '/dev/one') }), 'opened\n');
});

test('a device that is not there, or is none, is refused, and nothing is left', async () => {
  await assertRefused(asked('/dev/absent', '/dev/x'), status.FAILED_PRECONDITION, /use device \/dev\/absent: there is no such file on this node/);
  await assertRefused(asked('/etc/passwd', '/dev/x'), status.FAILED_PRECONDITION, /use device \/etc\/passwd: it is neither a device nor a directory/);
  await assertRefused(asked('/dev/kmsg', '/dev/x', 'rwx'), status.INVALID_ARGUMENT, /config\.devices\[0\]\.permissions/);
  await assertRefused(asked('/dev/kmsg', '/dev/../x'), status.INVALID_ARGUMENT, /config\.devices\[0\]\.container_path/);
});

test('a handler can keep the devices of the node from privileged containers, or only their nodes', async () => {
  const script = '[ -e /dev/fuse ] || echo absent; mknod /tmp/x c 10 229; (: < /tmp/x) 2>/dev/null && echo opened; (: < /dev/mine) && echo asked';
  const privileged = { script, security: { privileged: true }, config: asked('/dev/fuse', '/dev/mine') };
  const other = { ...privileged, config: asked('/dev/zero', '/dev/mine') };

  assert.equal(await node.outputOf(await node.runPod({}, 'bare'), other), 'absent\nasked\n');
  assert.equal(await node.outputOf(await node.runPod({}, 'bare'), privileged), 'absent\nopened\nasked\n', 'what it asks for it may use under any name');
  assert.equal(await node.outputOf(await node.runPod({}, 'free'), other), 'absent\nopened\nasked\n');
});

test('devices go to the user of the container where the node is set so, from a reload on', async () => {
  const owner = (security: Partial<LinuxContainerSecurityContext>): Promise<string> => node.outputOf(pod, { script: "stat -c '%u %g' /dev/mine", security, config: asked('/dev/fuse', '/dev/mine') });
  const user = { runAsUser: { value: 1000n } };
  const host = statSync('/dev/fuse');
  assert.equal(await owner(user), `${host.uid} ${host.gid}\n`);

  writeFileSync(node.daemon.paths.configFile, `${config}[container]\ndevice_ownership_from_security_context = true\n`);
  process.kill(node.daemon.pid, 'SIGHUP');
  await eventually(() => assert.match(node.daemon.log(), /configuration reloaded/));

  assert.equal(await owner({ ...user, runAsGroup: { value: 3000n } }), '1000 3000\n');
  assert.equal(await owner(user), `1000 ${host.gid}\n`);
  assert.equal(await owner({}), `${host.uid} ${host.gid}\n`);
});

test('hooks run for the containers that their conditions choose, at their stages', async (t) => {
  hookFile('annotated', { annotations: { '^team$': '^blue$' } }, ['prestart', 'poststop']);
  hookFile('sleeper', { commands: ['/?sleep$'] }, ['poststart']);
  hookFile('never', { always: false }, ['createRuntime']);
  t.after(() => { for (const file of readdirSync(hooksDir)) rmSync(path.join(hooksDir, file)); });

  const blue = await node.runContainer(pod, { config: { annotations: { team: 'blue' } } });
  const red = await node.runContainer(pod, { script: 'exec sleep 86399', config: { annotations: { team: 'red' } } });
  for (const containerId of [blue, red]) {
    await node.client.stopContainer({ containerId, timeout: 0n });
    await node.client.removeContainer({ containerId });
  }

  assert.deepEqual(runsOf('annotated').map(({ id, status }) => [id, status]), [[blue, runsOf('annotated')[0]!.status], [blue, 'stopped']]);
  assert.deepEqual(runsOf('sleeper').map(({ id }) => id), [blue]);
  assert.deepEqual(runsOf('never'), []);
});

test('a hook that is broken is left out with a word; one whose program is missing or fails refuses the container', async (t) => {
  t.after(() => { for (const file of readdirSync(hooksDir)) rmSync(path.join(hooksDir, file)); });
  hookFile('broken', { always: true }, ['sometime']);
  assert.equal(await node.outputOf(pod, { script: 'echo runs' }), 'runs\n');
  assert.match(node.daemon.log(), /OCI hook file left out/);
  assert.match((await node.client.status({ verbose: true })).info.hooks!, /broken\.json.*stages\[0\]: want one of prestart/);

  hookFile('broken', { always: true }, ['createRuntime'], { path: '/absent/program' });
  await assertRefused({}, status.FAILED_PRECONDITION, /run OCI hook .*broken\.json: its program cannot be run: ENOENT/);
  hookFile('broken', { always: true }, ['createRuntime'], { path: '/bin/sh', args: ['sh', '-c', 'echo the hook says why >&2; exit 3'] });
  await assertRefused({}, status.FAILED_PRECONDITION, /(error|failure) (executing|running) hook/);

  rmSync(path.join(hooksDir, 'broken.json'));
  assert.equal(await node.outputOf(pod, { script: 'echo runs' }), 'runs\n');
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
