/** The recipes of the native engine with real parts: repeated, crossed and cut short. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isKind } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { ContainerConfig, ContainerState, NamespaceMode, PodSandboxState } from '../gen/cri.ts';
import { call, EngineBed, eventually, skipEngine } from './engine-bed.fake.ts';

const skip = skipEngine;
const bed = skip === false ? await EngineBed.open() : undefined!;
after(() => bed?.dispose());

const runtime = (): string => bed.config.runtime.defaultHandler;
const endsAtTerm = 'trap "exit 7" TERM; while true; do sleep 0.05; done';
const ignoresTerm = 'trap "" TERM; while true; do sleep 0.05; done';

async function statusOf(id: string) {
  return (await bed.engine.containers.status(id, false)).status;
}

function fails(work: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.match(String((error as Error).message), message);
    assert.ok(isKind(error, kind), String(error));
    return true;
  });
}

async function removePod(id: string): Promise<void> {
  await bed.engine.pods.stop(id, call());
  await bed.engine.pods.remove(id, call());
}

// --- repeated calls ------------------------------------------------------------------------------------------------

test('RunPodSandbox repeated while it runs, after it succeeded and after a restart is one pod', { skip }, async () => {
  const config = bed.podConfig();
  const request = { config, runtimeHandler: '' };

  const [first, second] = await Promise.all([bed.engine.pods.run(request, call()), bed.engine.pods.run(structuredClone(request), call())]);
  const third = await bed.engine.pods.run(request, call());
  await bed.stop();
  await bed.start();
  const fourth = await bed.engine.pods.run(request, call());

  assert.deepEqual([second, third, fourth], [first, first, first]);
  await removePod(first);
  await bed.assertNothingLeft([first]);
});

test('a pod that could not be made is made by the same call once it can', { skip }, async () => {
  const config = bed.podConfig();
  const conflist = join(bed.config.cni.confDir, '10-test.conflist');
  const text = readFileSync(conflist, 'utf8');
  rmSync(conflist);
  await bed.reload(bed.config);
  await fails(bed.engine.pods.run({ config, runtimeHandler: '' }, call()), 'unavailable', new RegExp(`^run pod default/${config.metadata?.name}: add to network [0-9a-f]{64}: there is no valid network configuration`));
  await bed.assertNothingLeft();

  writeFileSync(conflist, text);
  const id = await bed.engine.pods.run({ config, runtimeHandler: '' }, call());

  await removePod(id);
});

test('CreateContainer repeated is one container, however its maps are ordered; another config is refused', { skip }, async () => {
  const pod = await bed.runPod();
  const labels = { a: '1', b: '2', c: '3' };
  const config: ContainerConfig = { ...bed.containerConfig(), labels, envs: [{ key: 'A', value: Buffer.from('b') }] };
  const reordered: ContainerConfig = { ...ContainerConfig.decode(ContainerConfig.encode(config).finish()), labels: { c: '3', a: '1', b: '2' } };
  const other: ContainerConfig = { ...config, labels: { a: '2' } };
  const create = (wanted: ContainerConfig): Promise<string> => bed.engine.containers.create({ podId: pod.id, config: wanted, podConfig: undefined }, call());
  const isTaken = /^create container container-\d+ \(attempt 0\): the pod has one of this name and attempt: [0-9a-f]{64}, created; remove it or give the next attempt number$/;

  const [first, second, third] = await Promise.allSettled([create(config), create(reordered), create(other)]);

  assert.ok(first.status === 'fulfilled' && second.status === 'fulfilled' && third.status === 'rejected');
  assert.equal(second.value, first.value);
  assert.match(String((third.reason as Error).message), isTaken);
  await bed.stop();
  await bed.start();
  assert.equal(await create(reordered), first.value, 'also after a restart');
  await fails(create(other), 'already-exists', isTaken);
  await removePod(pod.id);
});

// --- crossed calls -------------------------------------------------------------------------------------------------

test('a pod that is stopped and removed while its containers are being made leaves nothing of them', { skip }, async () => {
  for (const waitMs of [0, 4, 8, 16, 24, 32]) {
    const pod = await bed.runPod({ cgroupParent: '' });
    const creating = Promise.allSettled(Array.from({ length: 3 }, () => bed.createContainer(pod.id)));
    await sleep(waitMs);

    await bed.engine.pods.stop(pod.id, call());
    await bed.engine.pods.remove(pod.id, call());

    for (const outcome of await creating) {
      if (outcome.status === 'rejected') assert.match(String((outcome.reason as Error).message), /^create container (container-\d+ )?in pod default\/pod-\d+: the pod is not ready: it was stopped/);
    }
    assert.deepEqual(await bed.engine.containers.list(undefined), []);
    await bed.assertNothingLeft([pod.id]);
  }
});

test('start, stop, kill, status and removal of one container at once end in its removal', { skip }, async () => {
  const pod = await bed.runPod();
  for (let round = 0; round < 10; round++) {
    const id = await bed.createContainer(pod.id, { script: endsAtTerm });
    const { containers } = bed.engine;
    const began = performance.now();

    const outcomes = await Promise.allSettled([
      containers.start(id, call()), containers.start(id, call()), containers.stop(id, 1, call()), containers.stop(id, 0, call()),
      sleep(round * 3).then(() => containers.remove(id, call())), containers.status(id, true), containers.remove(id, call()), containers.stats(id),
    ]);

    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.ok(isKind(outcome.reason, 'failed-precondition') || isKind(outcome.reason, 'not-found'), String(outcome.reason));
    }
    assert.ok(performance.now() - began < 8000, 'nobody waits for a process that is gone');
    assert.deepEqual(await containers.list(undefined), []);
    assert.deepEqual(bed.monitorsOf(id), []);
  }
  await removePod(pod.id);
  await bed.assertNothingLeft();
});

test('a container that ends at once was started all the same, and its times are in order', { skip }, async () => {
  const pod = await bed.runPod();
  for (let round = 0; round < 10; round++) {
    const id = await bed.runContainer(pod.id, { command: ['true'] });

    const status = await eventually(async () => {
      const now = await statusOf(id);
      assert.equal(now.state, ContainerState.CONTAINER_EXITED);
      return now;
    });

    assert.deepEqual([status.exitCode, status.reason], [0, 'Completed']);
    assert.ok(0n < status.createdAt && status.createdAt <= status.startedAt && status.startedAt <= status.finishedAt, `${status.createdAt} ${status.startedAt} ${status.finishedAt}`);
    await bed.engine.containers.remove(id, call());
  }
  await removePod(pod.id);
});

test('of two stops the less patient counts, and a caller who goes away takes nothing with him', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id, { script: ignoresTerm });
  await fails(bed.engine.containers.stop(id, 60, call(AbortSignal.timeout(50))), 'cancelled', /^stop container [0-9a-f]{64}: the caller went away within the grace period$/);
  assert.equal((await statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  const began = performance.now();

  await Promise.all([bed.engine.containers.stop(id, 60, call()), bed.engine.containers.stop(id, 1, call())]);

  assert.ok(performance.now() - began < 10_000);
  assert.equal((await statusOf(id)).exitCode, 137);
  await removePod(pod.id);
});

test('a pod whose caller went away is there for the retry', { skip }, async () => {
  const config = bed.podConfig();
  const id = await bed.engine.pods.run({ config, runtimeHandler: '' }, call(AbortSignal.abort()));

  assert.equal(await bed.engine.pods.run({ config, runtimeHandler: '' }, call()), id);

  await Promise.all([bed.engine.pods.stop(id, call()), bed.engine.pods.remove(id, call()), bed.engine.pods.stop(id, call()), bed.engine.pods.remove(id, call())]);
  await bed.assertNothingLeft([id]);
});

test('an image that a container is being made from cannot be removed', { skip }, async () => {
  const pod = await bed.runPod();
  const image = { image: bed.image, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
  const creating = bed.createContainer(pod.id);

  await fails(bed.engine.images.remove(image, call()), 'failed-precondition', /in use by container [0-9a-f]{64}; remove the container first/);

  const id = await creating;
  await fails(bed.engine.images.remove(image, call()), 'failed-precondition', new RegExp(`in use by container ${id}`));
  await removePod(pod.id);
});

// --- what another daemon left --------------------------------------------------------------------------------------

test('after a reboot containers have ended with reason Unknown and pods are not ready; addresses are back, images are as they were, and all can be removed', { skip }, async () => {
  const pod = await bed.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const namespaces = { pid: NamespaceMode.POD };
  const running = await bed.runContainer(pod.id, { namespaces });
  const created = await bed.createContainer(pod.id, { namespaces });
  const images = await bed.engine.images.list(undefined);
  await bed.stop();
  await rebootFor([running, created, pod.id]);

  await bed.start();

  assert.deepEqual(await bed.engine.images.list(undefined), images);
  assert.equal(images.length, 1);
  const [podNow] = await bed.engine.pods.list(undefined);
  assert.equal(podNow?.state, PodSandboxState.SANDBOX_NOTREADY);
  for (const id of [running, created]) {
    const { state, reason, exitCode, message } = await statusOf(id);
    assert.deepEqual([state, reason, exitCode], [ContainerState.CONTAINER_EXITED, 'Unknown', 255]);
    assert.match(message, /the node went down while it was there/);
  }
  const leases = readdirSync(join(bed.part.dir, 'ipam', bed.network.name)).filter((name) => /^\d/.test(name));
  assert.deepEqual(leases, [], 'the address is given back before anybody removes the pod');
  await eventually(() => assert.deepEqual(bed.ledger().filter(({ kind }) => ['runtime', 'network', 'infra'].includes(kind)), []));
  await fails(bed.createContainer(pod.id), 'failed-precondition', /the pod is not ready/);
  await bed.engine.pods.status(pod.id, true);
  const next = await bed.runPod();
  const inside = await bed.runContainer(next.id, { script: 'exit 3' }); // there is no registry any more: the image is whole
  await eventually(async () => assert.equal((await statusOf(inside)).exitCode, 3));
  await removePod(next.id);
  await removePod(pod.id);
  await bed.assertNothingLeft([pod.id, running, created, next.id, inside]);
});

/** What a reboot does: no process, mount, cgroup or firewall rule is left, the state directory is empty, and the boot has another id. */
async function rebootFor(ids: readonly string[]): Promise<void> {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && ids.some((id) => cgroupOf(name).includes(id) || commandOf(name).includes(id)));
  for (const pid of processes) spawnSync('kill', ['-9', pid]);
  await eventually(() => assert.deepEqual(ids.flatMap((id) => bed.monitorsOf(id)), []));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${bed.config.state}/`));
  for (const point of mounts.reverse()) spawnSync('umount', ['-l', point]);
  await eventually(() => {
    for (const id of ids) spawnSync('sh', ['-c', `find /sys/fs/cgroup -depth -type d -path '*${id}*' -exec rmdir {} +`]);
    assert.equal(spawnSync('sh', ['-c', `find /sys/fs/cgroup -type d \\( ${ids.map((id) => `-name ${id}`).join(' -o ')} \\)`], { encoding: 'utf8' }).stdout, '');
  });
  for (const id of ids) spawnSync('sh', ['-c', `iptables-save -t nat | grep '${id}' | sed 's/^-A/-D/' | while read -r rule; do eval iptables -w -t nat "$rule"; done`]);
  spawnSync('sh', ['-c', `iptables-save -t nat | grep '^:CNI-' | grep -- ' - .0:0.$' | cut -c2- | cut -d' ' -f1 | while read -r chain; do iptables -w -t nat -X "$chain"; done 2>/dev/null`]);
  rmSync(bed.config.state, { recursive: true });
  mkdirSync(bed.config.state, { mode: 0o711 });
  for (const table of ['pod', 'container'] as const) bed.rewrite(table, (record) => ({ ...record, bootId: 'the boot before' }));
}

const procFile = (pid: string, name: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
};
const cgroupOf = (pid: string): string => procFile(pid, 'cgroup');
const commandOf = (pid: string): string => procFile(pid, 'cmdline');

test('the pod goes not ready with its infra process, and is stopped and removed as any other', { skip }, async () => {
  const pod = await bed.runPod({ namespaces: { pid: NamespaceMode.POD } });
  const inside = await bed.runContainer(pod.id, { namespaces: { pid: NamespaceMode.POD } });
  const { info } = await bed.engine.pods.status(pod.id, true);
  const { pid, processStatus } = JSON.parse(info['info'] ?? '{}') as { pid: number; processStatus: string };
  assert.equal(processStatus, 'running');

  process.kill(pid, 'SIGKILL');

  await eventually(async () => assert.equal((await bed.engine.pods.status(pod.id, false)).status.state, PodSandboxState.SANDBOX_NOTREADY));
  await eventually(async () => assert.equal((await statusOf(inside)).exitCode, 137));
  await fails(bed.createContainer(pod.id), 'failed-precondition', /the pod is not ready/);
  await removePod(pod.id);
  await bed.assertNothingLeft([pod.id, inside]);
});

test('exit files of nobody are removed at the start; that of a container is read first', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id, { script: endsAtTerm });
  await bed.stop();
  const exits = join(bed.config.state, 'exits');
  for (const name of ['f'.repeat(64), `${'e'.repeat(64)}.tmp`]) writeFileSync(join(exits, name), '0');
  const pid = bed.monitorsOf(id)[0]!;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
  process.kill(Number(children[0]), 'SIGTERM');
  await eventually(() => assert.ok(existsSync(join(exits, id))));

  await bed.start();

  assert.deepEqual(readdirSync(exits), []);
  assert.equal((await statusOf(id)).exitCode, 7);
  await removePod(pod.id);
});

test('a command that a dead daemon ran in a container is ended by the next one, and its files go', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id);
  const bundle = join(bed.config.state, 'containers', id);
  const token = '0123456789abcdef';
  const { process: own } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as { process: { env: string[] } };
  const command = { ...own, terminal: false, args: ['sh', '-c', 'sleep 4321 & wait'], env: [...own.env, `GANTRY_EXEC=${token}`] };
  writeFileSync(join(bundle, `exec-${token}.json`), JSON.stringify(command));
  const begun = spawnSync(bed.config.runtime.handlers[runtime()]!.path, ['--root', join(bed.config.state, 'oci', runtime()), 'exec', '--detach', '--process', join(bundle, `exec-${token}.json`), '--pid-file', join(bundle, `exec-${token}.pid`), id], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'inherit'] });
  assert.equal(begun.status, 0);
  const inside = async (): Promise<string> => Buffer.from((await bed.engine.containers.execSync(id, ['sh', '-c', 'ps | grep -v grep'], 10, call())).stdout).toString();
  assert.match(await inside(), /sleep 4321/);
  await bed.stop();

  await bed.start();

  assert.doesNotMatch(await inside(), /sleep 4321/);
  assert.match(await inside(), /sleep 86399/);
  assert.deepEqual(readdirSync(bundle).filter((name) => name.startsWith('exec-')), []);
  await removePod(pod.id);
});

test('a container whose end was on record but not yet freed when the daemon died is freed by the next', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id);
  await bed.stop();
  bed.rewrite('container', (record) => ({ ...record, exit: { code: 0, at: { $bigint: '1' }, reason: 'Completed', message: '' } }));

  await bed.start();

  await eventually(() => assert.deepEqual(bed.ledger().filter(({ owner, kind }) => owner === id && kind === 'runtime'), []));
  await eventually(() => assert.deepEqual(bed.monitorsOf(id), []));
  await removePod(pod.id);
  await bed.assertNothingLeft([pod.id, id]);
});

// --- runtimes that are no help -------------------------------------------------------------------------------------

test('a container that the runtime has forgotten can be stopped and removed', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id);
  rmSync(join(bed.config.state, 'oci', runtime(), id), { recursive: true });

  await bed.engine.containers.stop(id, 0, call());

  assert.equal((await statusOf(id)).exitCode, 137);
  await removePod(pod.id);
  await bed.assertNothingLeft([pod.id, id]);
});

test('a container that somebody paused can be stopped and removed', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id);
  const paused = spawnSync(bed.config.runtime.handlers[runtime()]!.path, ['--root', join(bed.config.state, 'oci', runtime()), 'pause', id], { encoding: 'utf8' });
  assert.equal(paused.status, 0, paused.stderr);

  await bed.engine.containers.stop(id, 0, call());

  assert.equal((await statusOf(id)).exitCode, 137);
  await removePod(pod.id);
  await bed.assertNothingLeft([pod.id, id]);
});

/** A handler with nothing but a program of its own. */
const handlerAt = (program: string) => ({ ...bed.config.runtime.handlers[runtime()]!, path: program });

test('a runtime that is uninstalled does not keep containers alive: they are stopped, and removed once it is back', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-runtime-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, runtime());
  const install = (): void => writeFileSync(program, `#!/bin/sh\nexec ${bed.config.runtime.handlers[runtime()]!.path} "$@"\n`, { mode: 0o755 });
  install();
  await bed.reload({ ...bed.config, runtime: { ...bed.config.runtime, handlers: { ...bed.config.runtime.handlers, passing: handlerAt(program) } } });
  const config = bed.podConfig();
  const podId = await bed.engine.pods.run({ config, runtimeHandler: 'passing' }, call());
  const polite = await bed.runContainer(podId, { script: endsAtTerm });
  const stubborn = await bed.runContainer(podId, { script: ignoresTerm });

  rmSync(program);
  await Promise.all([bed.engine.containers.stop(polite, 10, call()), bed.engine.containers.stop(stubborn, 0, call())]);

  assert.deepEqual([(await statusOf(polite)).exitCode, (await statusOf(stubborn)).exitCode], [7, 137]);
  await fails(bed.engine.containers.remove(polite, call()), 'failed-precondition', /^remove container container-\d+: undo runtime of [0-9a-f]{64}: delete container [0-9a-f]{64}: runtime handler passing: no program .*; install it or correct the handler's path$/);
  install();
  await removePod(podId);
  await bed.assertNothingLeft([podId, polite, stubborn]);
  await bed.reload(bed.config);
});

test('a runtime that fails is quoted once: act, container, handler, its own words', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-runtime-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const double = (name: string, verb: string): string => {
    const file = join(folder, `${runtime()}-${name}`);
    writeFileSync(file, `#!/bin/sh\nfor word; do case $word in create|start|kill|delete|state) command=$word; break ;; esac; done\n[ "$command" != ${verb} ] || { echo "not today" >&2; exit 1; }\nexec ${bed.config.runtime.handlers[runtime()]!.path} "$@"\n`, { mode: 0o755 });
    return file;
  };
  const handlers = { ...bed.config.runtime.handlers, nocreate: handlerAt(double('nocreate', 'create')), nostart: handlerAt(double('nostart', 'start')) };
  await bed.reload({ ...bed.config, runtime: { ...bed.config.runtime, handlers } });
  const [noCreate, noStart] = [bed.podConfig(), bed.podConfig()];
  const first = await bed.engine.pods.run({ config: noCreate, runtimeHandler: 'nocreate' }, call());
  const second = await bed.engine.pods.run({ config: noStart, runtimeHandler: 'nostart' }, call());
  const id = await bed.createContainer(second);

  await fails(bed.createContainer(first), 'internal', new RegExp(`^create container container-\\d+ in pod default/${noCreate.metadata?.name}: nocreate: not today$`));
  await fails(bed.engine.containers.start(id, call()), 'internal', /^start container container-\d+: nostart: not today$/);

  for (const podId of [first, second]) await removePod(podId);
  await bed.assertNothingLeft([first, second]);
  await bed.reload(bed.config);
});

test('the node is ready only as long as its runtime and its monitor are there', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-runtime-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, runtime());
  writeFileSync(program, `#!/bin/sh\nexec ${bed.config.runtime.handlers[runtime()]!.path} "$@"\n`, { mode: 0o755 });
  const ready = async (): Promise<unknown> => {
    const { status, handlers, info } = await bed.engine.node.status(true);
    const condition = status.conditions.find(({ type }) => type === 'RuntimeReady');
    assert.ok(info['config']?.includes(program), 'the configuration in force is told');
    return { ready: condition?.status, reason: condition?.reason, offered: handlers.some(({ name }) => name === 'passing') };
  };
  await bed.reload({ ...bed.config, runtime: { ...bed.config.runtime, defaultHandler: 'passing', handlers: { ...bed.config.runtime.handlers, passing: handlerAt(program) } } });
  assert.deepEqual(await ready(), { ready: true, reason: '', offered: true });

  rmSync(program);

  assert.deepEqual(await ready(), { ready: false, reason: 'RuntimeMissing', offered: false });
  await bed.reload(bed.config);
});

// --- who may look --------------------------------------------------------------------------------------------------

test('CVE-2021-41103: no other user of the node reaches a container\'s files, the pod\'s /dev/shm, or the records', { skip }, async () => {
  const pod = await bed.runPod();
  const id = await bed.runContainer(pod.id, { script: 'echo secret > /dev/shm/x; echo secret > /secret; sleep 86399' });
  const { root, state } = bed.config;
  const wanted = [
    join(state, 'containers', id, 'rootfs/bin/busybox'), join(state, 'containers', id, 'config.json'), join(root, 'containers', id, 'upper/secret'),
    join(state, 'pods', pod.id, 'shm/x'), join(root, 'gantry.db'), join(root, 'gantry.db-wal'),
  ];
  await eventually(() => assert.ok(wanted.every((path) => statSync(path).isFile())));

  for (const path of wanted) {
    const { status, stderr } = spawnSync('cat', [path], { uid: 65_534, gid: 65_534, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
    assert.notEqual(status, 0, `${path} can be read`);
    assert.match(stderr, /Permission denied/);
  }
  await removePod(pod.id);
});
