/** What the configuration gives to containers and handlers, seen from inside, and what a reload changes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { Capability, Mount, NamespaceMode, SecurityProfile, SecurityProfile_ProfileType as ProfileType } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, eventually, startWorkload } from '../support/workload.ts';
import type { WorkloadPod } from '../support/workload.ts';
import { assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const runtime = process.env['RUNTIME'] ?? 'crun';
const program = `/usr/bin/${runtime}`;
const folder = mkdtempSync(path.join(tmpdir(), 'gantry-node-defaults-'));
after(() => rmSync(folder, { recursive: true }));
const hookTrace = path.join(folder, 'hook');

/** A file of the node's administrator. */
function file(name: string, content: string, mode = 0o644): string {
  const at = path.join(folder, name);
  writeFileSync(at, content);
  chmodSync(at, mode);
  return at;
}

const copied = path.join(folder, 'odd-name');
copyFileSync(program, copied);
chmodSync(copied, 0o755);
const wrapper = file('wrapper', `#!/bin/sh\necho "$*" >> ${folder}/wrapped\nexec ${program} "$@"\n`, 0o755);
const slow = file('slow', `#!/bin/sh\nfor word; do [ "$word" != create ] || exec sleep 60; done\nexec ${program} "$@"\n`, 0o755);
const noMkdir = file('seccomp.json', JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'], syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
}));
const baseSpec = file('base.json', JSON.stringify({
  ociVersion: '1.0.2',
  process: { env: ['FROM_BASE=yes', 'FROM_NODE=base'], cwd: '/proc', rlimits: [{ type: 'RLIMIT_FSIZE', soft: 1 << 20, hard: 1 << 20 }] },
  mounts: [{ destination: '/from-base', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=64k'] }],
  hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${hookTrace}`] }] },
}));

const handlers = `
[runtime.handlers.${runtime}]
path = "${program}"
${runtime === 'runsc' ? 'flags = ["--network=host", "--net-raw", "--oci-seccomp"]' : ''}
[runtime.handlers.copied]
path = "${copied}"
allowed_annotations = ["shown.example/*"]
default_annotations = ["node.example/default=node", "shown.example/both=node"]
base_spec = "${baseSpec}"
min_memory = "16MiB"
[runtime.handlers.wrapped]
path = "${wrapper}"
flags = ["--log", "${folder}/runtime.log"]
[runtime.handlers.slow]
path = "${slow}"
create_timeout = "1s"
[runtime.handlers.gone]
path = "${folder}/gone"
`;
const config = `
[container]
default_ulimits = ["nofile=512:1024", "core=0"]
default_env = ["FROM_NODE=node", "PATH=/bin:/node"]
default_sysctls = ["net.core.somaxconn=77", "kernel.shm_rmid_forced=1"]
default_capabilities = ["CHOWN", "KILL"]
pids_limit = 99
umask = "0027"
timezone = "Asia/Tokyo"
seccomp_profile = "${noMkdir}"
[workloads.management]
activation_annotation = "class.example/management"
annotation_prefix = "cpu.class.example"
cpu_shares = 20
cpuset = "0"
${handlers}`;

const node = await startWorkload({ config });
after(() => node.stop());
const pod = await node.runPod();
const inPod = (script: string, options = {}) => node.outputOf(pod, { script, ...options });

/** Changes the configuration and waits until the daemon has said what it makes of it. */
async function reload(text: string, said: string): Promise<void> {
  const before = node.daemon.log().length;
  writeFileSync(node.daemon.paths.configFile, text);
  process.kill(node.daemon.pid, 'SIGHUP');
  await eventually(() => assert.ok(node.daemon.log().slice(before).includes(said), node.daemon.log().slice(before)));
}

test('limits, mask, capabilities and the most processes are those of the node', async () => {
  const script = 'ulimit -n; ulimit -Hn; ulimit -c; umask; grep CapBnd /proc/self/status; touch /new; stat -c %a /new; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null';

  assert.equal(await inPod(script), '512\n1024\n0\n0027\nCapBnd:\t0000000000000021\n640\n99\n');
  const capabilities = message(Capability, { addCapabilities: ['NET_RAW'], dropCapabilities: ['KILL'] });
  assert.match(await inPod('grep CapBnd /proc/self/status', { security: { capabilities } }), /0000000000002001/);
});

test('a command run inside later has the same', async () => {
  const id = await node.runContainer(pod);

  // The hard limit: runc 1.1 is written in a Go that raises the soft one, and does not always win the race to lower it again.
  assert.equal(await node.sh(id, 'ulimit -Hn; echo $FROM_NODE; grep CapBnd /proc/self/status'), '1024\nnode\nCapBnd:\t0000000000000021');
});

test('a command run inside later has the mask of the container', async (t) => {
  if (runtime === 'runc') return t.skip('runc 1.1 gives the process of an exec its own mask, whatever process.user.umask says');

  assert.equal(await node.sh(await node.runContainer(pod), 'umask'), '0027');
});

test('the environment of the node is below that of image and container', async () => {
  assert.equal(await inPod('echo $FROM_NODE'), 'node\n');
  assert.equal(await inPod('echo $FROM_NODE', { config: { envs: [{ key: 'FROM_NODE', value: Buffer.from('container') }] } }), 'container\n');
});

test('the time zone is that of the node, unless a volume is there', async (t) => {
  if (!existsSync('/usr/share/zoneinfo/Asia/Tokyo')) return t.skip('no /usr/share/zoneinfo on this machine');

  assert.equal(await inPod('date +%Z%z'), 'JST+0900\n');
  const mounts = [message(Mount, { hostPath: '/usr/share/zoneinfo/UTC', containerPath: '/etc/localtime', readonly: true })];
  assert.equal(await inPod('date +%z', { config: { mounts } }), '+0000\n');
});

test('RuntimeDefault is the filter of the node', async () => {
  const seccomp = (profileType: ProfileType) => ({ security: { seccomp: message(SecurityProfile, { profileType }) } });

  assert.equal(await inPod('mkdir /made 2>/dev/null || echo refused', seccomp(ProfileType.RuntimeDefault)), 'refused\n');
  assert.equal(await inPod('mkdir /made && echo made', seccomp(ProfileType.Unconfined)), 'made\n');
});

test('sysctls of the node are those of a pod with its own namespaces, and the pod has the last word', async () => {
  const read = 'cd /proc/sys; cat net/core/somaxconn kernel/shm_rmid_forced net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range';
  const own = await node.runPod({ config: { linux: { ...pod.config.linux!, sysctls: { 'net.core.somaxconn': '88', 'net.ipv4.ip_unprivileged_port_start': '500' } } } });
  const hosts = { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE };
  const before = spawnSync('sh', ['-c', read], { encoding: 'utf8' }).stdout;

  assert.equal(await inPod(read), '77\n1\n0\n0\t2147483647\n');
  assert.equal(await node.outputOf(own, { script: read }), '88\n1\n500\n0\t2147483647\n');
  assert.equal(await node.outputOf(await node.runPod({ namespaces: hosts }), { script: read, namespaces: hosts }), before, 'the node keeps its own');
  assert.equal(spawnSync('sh', ['-c', read], { encoding: 'utf8' }).stdout, before);
});

test('anyone may listen on a low port', async () => {
  const id = await node.runContainer(pod, { script: 'exec nc -l -p 80', security: { runAsUser: { value: 1000n } } });

  await eventually(async () => assert.match(await node.sh(id, 'cat /proc/net/tcp /proc/net/tcp6'), /:0050 0+:0000 0A /));
});

/** What the runtime itself tells of a container. */
function stateOf(handler: string, id: string): { annotations: Record<string, string> } {
  const { stdout, stderr, status: code } = spawnSync(program, ['--root', path.join(node.daemon.paths.state, 'oci', handler), 'state', id], { encoding: 'utf8' });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as { annotations: Record<string, string> };
}

const annotated = (handler: string): Promise<WorkloadPod> =>
  node.runPod({ config: { annotations: { 'shown.example/pod': 'pod', 'shown.example/both': 'pod', 'hidden.example/pod': 'pod' } } }, handler);

test('a runtime under another name runs pods, and sees the annotations that its handler allows and no other', async () => {
  const own = await annotated('copied');
  const id = await node.runContainer(own, { config: { annotations: { 'shown.example/container': 'container', 'run.oci.keep_original_groups': '1' } } });

  const shown = Object.fromEntries(Object.entries(stateOf('copied', id).annotations).filter(([name]) => !name.startsWith('io.kubernetes.cri.')));

  assert.deepEqual(shown, { 'node.example/default': 'node', 'shown.example/pod': 'pod', 'shown.example/both': 'pod', 'shown.example/container': 'container' });
});

test('a handler without a list of annotations shows its runtime none, beside the other', async () => {
  const id = await node.runContainer(await annotated('wrapped'));

  assert.deepEqual(Object.keys(stateOf('wrapped', id).annotations).filter((name) => !name.startsWith('io.kubernetes.cri.')), []);
  assert.match(readFileSync(path.join(folder, 'wrapped'), 'utf8'), new RegExp(`--root \\S+/oci/wrapped --log ${folder}/runtime\\.log( \\S+)* create .*${id}`), 'through the wrapper, with its flags');
});

test('a base spec adds what the container does not say: variables, mounts, limits, hooks', async () => {
  const own = await annotated('copied');
  rmSync(hookTrace, { force: true });

  const seen = await node.outputOf(own, { script: 'pwd; echo $FROM_BASE $FROM_NODE; grep -c " /from-base tmpfs" /proc/mounts; ulimit -f; ulimit -n' });

  const blocks = await inPod('ulimit -f');
  assert.equal(blocks, 'unlimited\n', 'the other handler has no such limit');
  assert.match(seen, /^\/\nyes node\n1\n(1024|2048)\n512\n$/);
  assert.match(readFileSync(hookTrace, 'utf8'), /"status": ?"creat/);
});

test('less memory than the runtime needs is refused, at creation and at an update, and leaves nothing', async () => {
  const own = await annotated('copied');
  const little = { memoryLimitInBytes: 1n << 20n };

  await assertFails(node.createContainer(own, { resources: little }), status.INVALID_ARGUMENT, /memory_limit_in_bytes: 1048576 is less than the 16777216 bytes that the runtime handler needs/);
  const id = await node.runContainer(own, { resources: { memoryLimitInBytes: 64n << 20n } });
  const linux = { ...(await node.statusOf(id)).resources!.linux!, ...little };
  await assertFails(node.client.updateContainerResources({ containerId: id, linux }), status.INVALID_ARGUMENT, /16777216/);
  assert.equal((await node.statusOf(id)).resources?.linux?.memoryLimitInBytes, 64n << 20n);
});

test('a runtime that takes longer than its handler may is given up', async () => {
  await assertFails(node.createContainer(await node.runPod({}, 'slow')), status.DEADLINE_EXCEEDED, /slow did not finish within 1 s/);
});

test('a pod of a workload class gets the CPU settings of the class', async () => {
  const annotations = { 'class.example/management': '', 'cpu.class.example/special': '{"cpushares": 50}', 'cpu.class.example/second': '{"cpushares": 50}', 'cpu.class.example/wrong': 'many' };
  const managed = await node.runPod({ config: { annotations } });
  const script = 'grep Cpus_allowed_list /proc/self/status; cat /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || cat /sys/fs/cgroup/cpu.weight';
  const resources = { cpuShares: 512n };

  assert.match(await node.outputOf(managed, { script, resources }), /^Cpus_allowed_list:\t0\n(20|1)\n$/);
  assert.match(await node.outputOf(managed, { name: 'special', script, resources }), /^Cpus_allowed_list:\t0\n(50|2)\n$/);
  const told = async (name: string) => (await node.statusOf(await node.createContainer(managed, { name, resources: { ...resources, memoryLimitInBytes: 64n << 20n } }))).resources?.linux;
  const [general, second] = [await told('general'), await told('second')].map((linux) => [linux?.cpuShares, linux?.cpusetCpus, linux?.memoryLimitInBytes]);
  assert.deepEqual([general, second], [[20n, '0', 64n << 20n], [50n, '0', 64n << 20n]], 'the status tells the same');
  const bare = (await node.statusOf(await node.createContainer(managed))).resources?.linux;
  assert.deepEqual([bare?.cpuShares, bare?.memoryLimitInBytes], [20n, 0n], 'also of one that asked for nothing');
  assert.doesNotMatch(await inPod(script, { resources }), /Cpus_allowed_list:\t0\n/);
  await assertFails(node.createContainer(managed, { name: 'wrong' }), status.INVALID_ARGUMENT, /annotations\[cpu\.class\.example\/wrong\]: "many" is not a JSON object/);
});

test('the log and the status tell what each handler can do; one that is not there is not offered', async () => {
  const { runtimeHandlers: offered, status: condition } = await node.client.status({ verbose: false });
  const names = offered.map(({ name }) => name);

  assert.ok(['', runtime, 'copied', 'wrapped'].every((name) => names.includes(name)), names.join());
  assert.ok(!names.includes('gone'));
  assert.equal(condition?.conditions.find(({ type }) => type === 'RuntimeReady')?.status, true);
  const features = (name: string) => offered.find((handler) => handler.name === name)?.features;
  assert.deepEqual([features('copied'), features('wrapped')], [features(runtime), features(runtime)]);
  const log = node.daemon.log().split('\n');
  assert.ok(log.some((line) => line.includes('runtime handler') && line.includes('"copied"') && line.includes(`${runtime} version`)), node.daemon.log());
  assert.ok(log.some((line) => line.includes('"warn"') && line.includes('is not offered') && line.includes('"gone"')), node.daemon.log());
});

test('a reload changes what new containers get, and running ones stay as they are', async () => {
  const old = await node.runContainer(pod);

  await reload(config.replace('0027', '0077').replace('FROM_NODE=node', 'FROM_NODE=later').replace('pids_limit = 99', 'pids_limit = 88'), 'configuration reloaded');

  assert.equal(await inPod('umask; echo $FROM_NODE'), '0077\nlater\n');
  assert.match(node.daemon.log(), /container\.default_env: .*FROM_NODE=….* -> .*FROM_NODE=…/);
  const { info } = await node.client.status({ verbose: true });
  assert.match(info['config']!, /"defaultEnv":\{"FROM_NODE":"…","PATH":"…"\}/);
  assert.equal(await node.sh(old, 'echo $FROM_NODE; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true'), 'node\n99');
});

test('a reload with a file that is wrong changes nothing', async () => {
  const broken = file('broken.json', '{"process":[]}');

  await reload(config.replace(baseSpec, broken).replace('umask = "0027"', 'umask = "0000"'), `read base spec ${broken}: process is not an object`);
  assert.equal(await inPod('umask'), '0077\n');
  await reload(config.replace('umask = "0027"', 'umask = "99"'), 'want octal digits');
  assert.equal(await inPod('umask'), '0077\n');
});

test('a default handler that is taken away leaves the node not ready, until it is back', async () => {
  const ready = async () => (await node.client.status({ verbose: false })).status?.conditions.find(({ type }) => type === 'RuntimeReady');

  await reload(config.replace(`path = "${program}"`, `path = "${folder}/gone"`), 'the default runtime handler cannot run: the node is not ready');
  assert.deepEqual([(await ready())?.status, (await ready())?.reason], [false, 'RuntimeMissing']);
  await reload(config, 'configuration reloaded');
  assert.equal((await ready())?.status, true);
});

test('of all these containers nothing is left once the pods are removed', () => assertRemovalLeavesNothing(node.daemon));
