/** Built specs in front of real runtimes: what the process inside finds of them. RUNTIME=crun|runc runs one of the two only. */
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mount, SecurityProfile_ProfileType } from '../../gen/cri.ts';
import { createNamespaces, primeThreadPool, removeNamespaces } from '../../host/namespaces.ts';
import { run } from '../../host/spawn.ts';
import type { RunResult } from '../../host/spawn.ts';
import { buildContainerSpec } from './build-container-spec.ts';
import { buildInfraSpec } from './build-infra-spec.ts';
import { encodeSpec } from './encode-spec.ts';
import { exampleDefaults, exampleHandler, exampleInput, unset } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import { gatherHostFacts } from './host-facts.ts';
import type { OciSpec } from './oci-spec.ts';
import { hostDevices } from './resolve-devices.ts';
import { resolveUser } from './resolve-user.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from './with-hidden-paths.ts';

const facts = gatherHostFacts();
const runtimes = process.env['RUNTIME'] === undefined ? ['crun', 'runc'] : [process.env['RUNTIME']];
const suffix = randomBytes(4).toString('hex');
const cgroup = `/gantry-spec-${suffix}`;
const unifiedControllers = '/sys/fs/cgroup/unified/cgroup.controllers';
const runtimeDefault = { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: '' };

let scratch = '';
let shared: { network: string; ipc: string; uts: string };

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-spec-'));
  await primeThreadPool();
  const { net = '', ipc = '', uts = '' } = createNamespaces({ directory: join(scratch, 'ns'), net: true, ipc: true, uts: true, hostname: 'shop', sysctls: {} });
  shared = { network: net, ipc, uts };
  mkdirSync(join(scratch, 'shm'));
  mkdirSync(join(scratch, 'volume'));
  writeFileSync(join(scratch, 'resolv.conf'), 'nameserver 10.9.8.7\n');
  writeFileSync(join(scratch, 'hostname'), 'shop\n');
});

after(() => {
  removeNamespaces(join(scratch, 'ns'));
  rmSync(scratch, { recursive: true, force: true });
  removeCgroups('/sys/fs/cgroup');
});

/** The runtime removes its container's cgroup; the parent in each hierarchy is ours. */
function removeCgroups(root: string): void {
  const hierarchies = facts.cgroupMode === 'v2' ? [root] : readdirSync(root).map((name) => join(root, name));
  for (const path of hierarchies.map((hierarchy) => join(hierarchy, cgroup))) if (existsSync(path)) rmdirSync(path);
}

/** A directory that users inside a container may pass through. */
function publicDirectory(prefix: string): string {
  const path = mkdtempSync(join(scratch, prefix));
  chmodSync(path, 0o755);
  return path;
}

function makeRootfs(): string {
  const rootfs = publicDirectory('rootfs-');
  for (const directory of ['bin', 'etc', 'data']) mkdirSync(join(rootfs, directory));
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  symlinkSync('busybox', join(rootfs, 'bin/sh'));
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nada:x:1000:1001::/home/ada:/bin/sh\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nusers:x:50:ada\n');
  return rootfs;
}

async function specOf(rootfs: string, changes: Changes): Promise<OciSpec> {
  const { config } = exampleInput(changes);
  return buildContainerSpec(
    exampleInput({
      ...changes,
      facts,
      input: {
        rootfs,
        identity: await resolveUser(rootfs, config.linux?.securityContext, ''),
        namespaces: shared,
        cgroupsPath: `${cgroup}/${randomBytes(4).toString('hex')}`,
        podFiles: { resolvConf: join(scratch, 'resolv.conf'), hostname: join(scratch, 'hostname'), shm: join(scratch, 'shm') },
        hostDevices: config.linux?.securityContext?.privileged === true ? await hostDevices() : [],
        ...changes.input,
      },
    }),
  );
}

function bundleOf(spec: OciSpec): string {
  const bundle = mkdtempSync(join(scratch, 'bundle-'));
  writeFileSync(join(bundle, 'config.json'), encodeSpec(spec));
  return bundle;
}

/** crun refuses hosts whose v2 tree beside v1 has controllers; in a mount namespace of its own the list is hidden from it. */
function runtime(name: string, args: readonly string[]): Promise<RunResult> {
  const command = [name, '--root', join(scratch, name), ...args];
  const hide = name === 'crun' && facts.cgroupMode === 'hybrid' && readFileSync(unifiedControllers, 'utf8').trim() !== '';
  const hiding = `mount --make-rprivate /sys/fs/cgroup && mount --bind /dev/null ${unifiedControllers} && exec "$@"`;
  const wrapper = hide ? ['unshare', '--mount', '--propagation', 'unchanged', 'sh', '-c', hiding, 'sh'] : [];
  return run('/bin/sh', ['-c', 'exec "$@"', 'sh', ...wrapper, ...command], { deadlineMs: 30_000 });
}

/** Runs a shell script in a container of this spec to its end and returns its output. */
async function output(name: string, script: string, changes: Changes = {}): Promise<string> {
  const spec = await specOf(makeRootfs(), { ...changes, config: { command: ['/bin/sh', '-c', `PATH=/bin:$PATH; ${script}`], ...changes.config } });
  const { code, stdout, stderr } = await runtime(name, ['run', '--bundle', bundleOf(spec), `spec-${randomBytes(4).toString('hex')}`]);
  assert.equal(code, 0, `${stderr}${stdout}`);
  return stdout.toString();
}

/** The fields of /proc/self/status inside. */
async function statusIn(name: string, changes: Changes): Promise<Record<string, string>> {
  const text = await output(name, 'busybox cat /proc/self/status', changes);
  return Object.fromEntries(text.split('\n').map((line) => [line.split(':')[0] ?? '', line.slice(line.indexOf(':') + 1).trim().replaceAll('\t', ' ')]));
}

function skipWithout(t: TestContext, program: string): boolean {
  const found = `${process.env['PATH']}:/usr/sbin:/sbin`.split(':').some((directory) => existsSync(join(directory, program)));
  if (!found) t.skip(`${program} is not installed`);
  return !found;
}

for (const name of runtimes) {
  describe(name, () => {
    test('a plain container is root with fourteen capabilities and no filter', async (t) => {
      if (skipWithout(t, name)) return;

      const status = await statusIn(name, {});

      assert.equal(status['Uid'], '0 0 0 0');
      assert.equal(status['CapBnd'], '00000000a80425fb');
      assert.equal(status['CapEff'], '00000000a80425fb');
      assert.equal(status['CapInh'], '0000000000000000');
      assert.equal(status['NoNewPrivs'], '0');
      assert.equal(status['Seccomp'], '0');
      assert.equal(status['Umask'], '0022');
    });

    test('a confined container has its user, groups, no new privileges and the filter', async (t) => {
      if (skipWithout(t, name)) return;

      const status = await statusIn(name, {
        security: { runAsUser: { value: 1000n }, supplementalGroups: [70n], noNewPrivs: true, seccomp: runtimeDefault, capabilities: { addCapabilities: [], dropCapabilities: ['ALL'], addAmbientCapabilities: ['NET_BIND_SERVICE'] } },
      });

      assert.equal(status['Uid'], '1000 1000 1000 1000');
      assert.equal(status['Gid'], '1001 1001 1001 1001');
      assert.deepEqual(status['Groups']?.split(' ').map(Number).toSorted((a, b) => a - b), [50, 70, 1001]);
      assert.equal(status['NoNewPrivs'], '1');
      assert.equal(status['Seccomp'], '2');
      for (const set of ['CapBnd', 'CapPrm', 'CapEff', 'CapInh', 'CapAmb']) assert.equal(status[set], '0000000000000400', set);
    });

    test('a privileged container has all that the daemon has, and the devices of the host', async (t) => {
      if (skipWithout(t, name)) return;
      const device = (await hostDevices()).find(({ path }) => !/^\/dev\/(null|zero|full|random|urandom|tty)$/.test(path))?.path ?? '/dev/null';

      const status = await statusIn(name, { security: { privileged: true, seccomp: runtimeDefault, maskedPaths: [...defaultMaskedPaths] } });
      const text = await output(name, `busybox ls -d ${device}; busybox grep ' /sys ' /proc/self/mountinfo`, { security: { privileged: true } });

      assert.equal(status['CapEff'], /^CapPrm:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
      assert.equal(status['Seccomp'], '0');
      assert.match(text, new RegExp(`^${device}\n`));
      assert.match(text, / \/sys rw,/);
    });

    test('the filter keeps a process from making namespaces, and lets it work otherwise', async (t) => {
      if (skipWithout(t, name)) return;

      const text = await output(name, 'busybox unshare -U busybox true 2>/dev/null && echo made || echo kept; (busybox echo child)', { security: { seccomp: runtimeDefault } });

      assert.equal(text, 'kept\nchild\n');
    });

    test('the environment, directory, limits and name are those of the spec', async (t) => {
      if (skipWithout(t, name)) return;
      const config = { workingDir: '/made/on/demand', envs: [{ key: 'GREETING', value: Buffer.from('grüß\ndich') }] };

      const text = await output(name, 'pwd; echo "$GREETING $HOME"; busybox hostname; ulimit -n; busybox cat /proc/self/oom_score_adj', { config, resources: { oomScoreAdj: 500n } });

      const hard = facts.hardLimits['nofile'] ?? 0n;
      const limit = hard < 1_048_576n ? hard : 1_048_576n;
      assert.equal(text, `/made/on/demand\ngrüß\ndich /root\nshop\n${limit}\n500\n`);
    });

    test('the files of the pod and its volumes are mounted as asked', async (t) => {
      if (skipWithout(t, name)) return;
      const mounts = [{ ...unset(Mount), containerPath: '/data', hostPath: join(scratch, 'volume'), readonly: true, recursiveReadOnly: facts.recursiveReadOnly, mountOptions: ['noexec'] }];

      const text = await output(name, 'busybox cat /etc/resolv.conf /etc/hostname; busybox grep -c " /dev/shm " /proc/self/mountinfo; busybox grep " /data " /proc/self/mountinfo; busybox touch /data/x 2>&1 || true', {
        config: { mounts },
      });

      assert.match(text, /^nameserver 10\.9\.8\.7\nshop\n1\n/);
      assert.match(text, / \/data ro,(\S*,)?noexec/);
      assert.match(text, /Read-only file system/);
    });

    test('a read-only root, masked and read-only paths hold', async (t) => {
      if (skipWithout(t, name)) return;
      const security = { readonlyRootfs: true, maskedPaths: [...defaultMaskedPaths], readonlyPaths: [...defaultReadonlyPaths] };

      const text = await output(name, 'busybox touch /x 2>&1 || busybox wc -c < /proc/interrupts; (echo 60 > /proc/sys/vm/swappiness) 2>&1 || true', { security });

      assert.match(text, /^touch: \/x: Read-only file system\n0\n.*swappiness: Read-only file system\n$/);
    });

    test('what the kubelet always sends is accepted, also where this node cannot do it', async (t) => {
      if (skipWithout(t, name)) return;

      const text = await output(name, 'busybox echo up', {
        resources: { cpuShares: 102n, cpuQuota: 10_000n, cpuPeriod: 100_000n, memoryLimitInBytes: 64n << 20n, hugepageLimits: [{ pageSize: '2MB', limit: 0n }], oomScoreAdj: -998n },
      });

      assert.equal(text, 'up\n');
    });

    test('the infra process waits as nobody in the PID namespace that containers join', async (t) => {
      if (skipWithout(t, name) || skipWithout(t, 'catatonit')) return;
      const id = `infra-${suffix}`;
      const { podId, podConfig } = exampleInput();
      const rootfs = publicDirectory('infra-');
      const spec = buildInfraSpec({ podId, podConfig, namespaces: shared, rootfs, program: '/usr/bin/catatonit', args: ['-P'], cgroupsPath: `${cgroup}/${id}`, resources: {}, hostname: 'shop', facts, defaults: exampleDefaults, handler: exampleHandler, apparmorProfile: undefined, selinux: undefined });

      const started = await startDetached(name, id, bundleOf(spec));
      try {
        const text = await output(name, 'busybox cat /proc/1/status', { namespaces: { pid: 0 }, input: { namespaces: { ...shared, pid: `/proc/${started.pid}/ns/pid` } } });

        assert.match(text, /^Name:\s*(catatonit|pause)$/m);
        assert.match(text, /^Uid:\s*65535\s/m);
        assert.match(text, /^CapBnd:\s*0+$/m);
      } finally {
        await runtime(name, ['delete', '--force', id]);
      }
    });
  });
}

/** Creates and starts a container that goes on running. */
async function startDetached(name: string, id: string, bundle: string): Promise<{ pid: number }> {
  const pidFile = join(bundle, 'pid');
  const created = await runtime(name, ['create', '--bundle', bundle, '--pid-file', pidFile, id]);
  assert.equal(created.code, 0, created.stderr.toString());
  const started = await runtime(name, ['start', id]);
  assert.equal(started.code, 0, started.stderr.toString());
  return { pid: Number(readFileSync(pidFile, 'utf8')) };
}
