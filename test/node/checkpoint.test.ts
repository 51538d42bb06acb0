/** Containers and pods that are written down by CRIU while they run, and made again of that. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { Capability, ContainerState, Mount, NamespaceMode } from '../../src/gen/cri.ts';
import { findProgram } from '../../src/host/find-program.ts';
import { message } from '../support/cri-messages.ts';
import { startDaemon } from '../support/daemon.ts';
import { assertFails, eventually, startWorkload, Workload, type WorkloadContainer } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const { CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND } = status;

/** Counts in memory, and says so in its log; its root has a file more and a file less than its image. */
const counting = 'echo changed > /etc/made; rm -f /etc/group; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done';

const reason = whyNot();
if (reason !== undefined) test('checkpoints', (t) => t.skip(reason));
else describe('checkpoints', () => {
  let node: Workload;
  /** Where archives go. */
  let folder: string;
  let original: string;
  const counted = async (id: string, on: Workload = node): Promise<number> => Number((await on.log(id)).at(-1)?.text ?? -1);
  const countsOn = (id: string, from: number, on: Workload = node): Promise<void> => eventually(async () => assert.ok(await counted(id, on) > from, `it counts on from ${from}`));
  const ready = (async () => {
    node = await startWorkload();
    folder = path.join(node.daemon.paths.dir, 'archives');
    mkdirSync(folder);
    original = await node.runContainer(await node.runPod(), { script: counting, config: { mounts: [mountOf(folder, '/archives')] } });
    await countsOn(original, 3);
  })();
  after(async () => {
    await ready.catch(() => {}); // the tests told
    await node.stop();
  });

  const goesOn = async (id: string): Promise<void> => await countsOn(id, await counted(id));
  const archive = (): string => path.join(folder, 'one.tar');

  test('a running container is written to an archive that forensic tools read, and goes on', async () => {
    await ready;
    await node.client.checkpointContainer({ containerId: original, location: archive(), timeout: 60n });

    assert.equal(statSync(archive()).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['one.tar'], 'and nothing beside it');
    await goesOn(original);
    const names = tar('-tf', archive()).split('\n');
    for (const name of ['config.dump', 'spec.dump', 'status.dump', 'status', 'dump.log', 'stats-dump', 'rootfs-diff.tar', 'deleted.files', 'bind.mounts', 'container.log', 'checkpoint/', 'checkpoint/inventory.img']) assert.ok(names.includes(name), name);
    const { id, rootfsImageName, runtime } = JSON.parse(tar('-xOf', archive(), 'config.dump')) as Record<string, unknown>;
    assert.deepEqual([id, rootfsImageName, runtime], [original, node.image, process.env['RUNTIME'] ?? 'crun']);
    assert.deepEqual(JSON.parse(tar('-xOf', archive(), 'deleted.files')), ['/etc/group']);
    assert.ok((JSON.parse(tar('-xOf', archive(), 'bind.mounts')) as { destination: string; file_type: string }[]).some(({ destination, file_type: type }) => destination === '/archives' && type === 'directory'));
  });

  test('made of the archive, a container waits for its start, and then goes on from where it was, with what it had changed, under the name of its new pod', async () => {
    await ready;
    const before = await counted(original);
    const pod = await node.runPod();
    const id = await node.createContainer(pod, { image: archive(), config: { mounts: [mountOf(folder, '/archives')] } });
    assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_CREATED);

    await node.client.startContainer({ containerId: id });

    await countsOn(id, 3);
    const [first] = await node.log(id);
    assert.ok(Number(first!.text) > 1 && Number(first!.text) <= before, `its count began with ${first!.text}`);
    assert.equal((await node.statusOf(id)).imageId, (await node.statusOf(original)).imageId);
    assert.equal(await node.sh(id, 'cat /etc/made; test -e /etc/group || echo gone; hostname; ls /archives'), `changed\ngone\n${pod.config.hostname}\none.tar`);
    const again = path.join(folder, 'again.tar');
    await node.client.checkpointContainer({ containerId: id, location: again, timeout: 60n });
    await goesOn(id);
    execFileSync('rm', [again]);
    await node.daemon.restart();
    await goesOn(id);
    await node.client.stopContainer({ containerId: id, timeout: 0n });
    assert.equal((await node.statusOf(id)).exitCode, 137);
    await node.removePod(pod);
  });

  test('one that waits to be restored can be stopped, and be there after a restart', async () => {
    await ready;
    const pod = await node.runPod();
    const [first, second] = [await node.createContainer(pod, { image: archive(), config: { mounts: [mountOf(folder, '/archives')] } }), await node.createContainer(pod, { image: archive(), config: { mounts: [mountOf(folder, '/archives')] } })];

    await node.client.stopContainer({ containerId: first, timeout: 10n });
    await node.daemon.kill9();
    await node.daemon.restart();

    assert.equal((await node.statusOf(first)).exitCode, 137);
    assert.equal((await node.statusOf(second)).state, ContainerState.CONTAINER_CREATED);
    await node.client.startContainer({ containerId: second });
    await countsOn(second, 3);
    await node.removePod(pod);
  });

  test('what an archive would bring along beyond the request is refused, and nothing of the container is left', async () => {
    await ready;
    const pod = await node.runPod();
    const mounts = [mountOf(folder, '/archives')];
    const linked = path.join(node.daemon.paths.dir, 'linked.tar');
    const parts = path.join(node.daemon.paths.dir, 'parts');
    mkdirSync(parts);
    tar('-xf', archive(), '-C', parts);
    execFileSync('rm', [path.join(parts, 'checkpoint/pages-1.img')]);
    symlinkSync('/etc/shadow', path.join(parts, 'checkpoint/pages-1.img'));
    tar('-cf', linked, '-C', parts, '.');

    const refused: readonly [WorkloadContainer, status, RegExp][] = [
      [{ image: archive() }, FAILED_PRECONDITION, /it was captured with mounts on \/archives, and the request has none there$/],
      [{ image: archive(), config: { mounts: [...mounts, mountOf(folder, '/more')] } }, FAILED_PRECONDITION, /the request mounts \/more, which it was captured without$/],
      [{ image: archive(), config: { mounts: [{ ...mounts[0]!, readonly: true }] } }, FAILED_PRECONDITION, /\/archives can be written in it, and the request mounts it read-only$/],
      [{ image: archive(), config: { mounts }, security: { capabilities: message(Capability, { dropCapabilities: ['ALL'] }) } }, FAILED_PRECONDITION, /a process in it \(core-1\.img\) has CAP_CHOWN, which the container is not to have$/],
      [{ image: archive(), config: { mounts, tty: true } }, FAILED_PRECONDITION, /it was captured without a terminal \(tty\)/],
      [{ image: linked, config: { mounts } }, FAILED_PRECONDITION, /"pages-1\.img" among the images of CRIU is no plain file$/],
      [{ image: '/nowhere.tar' }, NOT_FOUND, /read checkpoint \/nowhere\.tar: there is no such file on this node$/],
    ];
    for (const [options, code, pattern] of refused) await assertFails(node.createContainer(pod, options), code, pattern);

    await node.removePod(pod);
    assert.deepEqual(readdirSync(path.join(node.daemon.paths.root, 'checkpoints')), []);
  });

  test('what cannot be captured is refused by name, and leaves no archive', async () => {
    await ready;
    const created = await node.createContainer(await node.runPod());
    const capture = (containerId: string, location: string) => node.client.checkpointContainer({ containerId, location, timeout: 60n });

    await assertFails(capture(created, path.join(folder, 'no.tar')), FAILED_PRECONDITION, /it is created, and only a running one can be captured$/);
    await assertFails(capture(original, 'here.tar'), INVALID_ARGUMENT, /check location "here.tar": it is not the absolute path of a file$/);
    await assertFails(capture(original, '/nowhere/at.tar'), INVALID_ARGUMENT, /check location "\/nowhere\/at.tar": its folder cannot be used: ENOENT/);
    await assertFails(capture(original, folder), INVALID_ARGUMENT, /there is a folder of this name$/);
    assert.deepEqual(readdirSync(folder), ['one.tar']);
  });

  test('a capture that takes too long, or that nobody waits for any more, is given up: the container goes on, and no archive is there', async () => {
    await ready;
    // In front of CRIU stands one that takes its time over a dump.
    const slow = path.join(node.daemon.paths.dir, 'slow');
    mkdirSync(slow);
    writeFileSync(path.join(slow, 'criu'), `#!/bin/sh\ncase "$*" in swrk*) sleep 30;; esac\nexec ${findProgram('criu')} "$@"\n`);
    chmodSync(path.join(slow, 'criu'), 0o755);
    const late = new Workload({ daemon: await startDaemon({ registriesConf: `[[registry]]\nlocation = "${node.registry.host}"\ninsecure = true\n`, env: { PATH: `${slow}:${process.env['PATH']}` } }), registry: node.registry, image: node.image });
    try {
      await late.pull(late.image);
      const id = await late.runContainer(await late.runPod(), { script: counting });
      const location = path.join(folder, 'late.tar');

      await assertFails(late.client.checkpointContainer({ containerId: id, location, timeout: 1n }), DEADLINE_EXCEEDED, /it was not done within 1 s, and was given up; the container goes on$/);
      await countsOn(id, await counted(id, late), late);
      const gone = new AbortController();
      const running = late.client.checkpointContainer({ containerId: id, location, timeout: 60n }, { signal: gone.signal });
      await eventually(() => assert.equal(readdirSync(path.join(late.daemon.paths.root, 'checkpoints')).length, 1));
      gone.abort();
      await assertFails(running, CANCELLED, /./);
      await eventually(() => assert.deepEqual(readdirSync(path.join(late.daemon.paths.root, 'checkpoints')), []));
      await countsOn(id, await counted(id, late), late);
      const stopped = assertFails(late.client.checkpointContainer({ containerId: id, location, timeout: 60n }), FAILED_PRECONDITION, /it is being stopped$/);
      await eventually(() => assert.equal(readdirSync(path.join(late.daemon.paths.root, 'checkpoints')).length, 1));
      await late.client.stopContainer({ containerId: id, timeout: 0n });
      await stopped;

      // A daemon that is killed leaves it frozen, and the next one lets it go on.
      const second = await late.runContainer(await late.runPod(), { script: counting });
      const broken = late.client.checkpointContainer({ containerId: second, location, timeout: 60n }).catch(() => {});
      await eventually(async () => assert.equal(await frozen(late, second), true));
      await late.daemon.kill9();
      await broken;
      await late.daemon.restart();
      await countsOn(second, await counted(second, late), late);
      await eventually(() => assert.deepEqual(readdirSync(path.join(late.daemon.paths.root, 'checkpoints')), []));

      assert.deepEqual(readdirSync(folder).filter((name) => name.includes('late')), []);
    } finally {
      await late.daemon.stopAndClean();
    }
  });

  test('a pod is written down as of one moment, and made again on another daemon with another root', async () => {
    await ready;
    const pod = await node.runPod({ namespaces: { pid: NamespaceMode.POD } });
    const configs = ['one', 'two'].map((name) => node.containerConfig(pod, { name, script: counting }));
    const ids = [];
    for (const config of configs) {
      const { containerId } = await node.client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
      await node.client.startContainer({ containerId });
      ids.push(containerId);
    }
    for (const id of ids) await countsOn(id, 3);
    const output = path.join(folder, 'pod');
    mkdirSync(output);

    await node.client.checkpointPod({ podSandboxId: pod.id, outputPath: output, containerIds: ids, options: {} });

    for (const id of ids) await goesOn(id);
    assert.deepEqual(readdirSync(output), ['container-0.tar', 'container-1.tar', 'pod.dump', 'pod.options', 'request.pb']);
    const other = new Workload({ daemon: await startDaemon({ registriesConf: `[[registry]]\nlocation = "${node.registry.host}"\ninsecure = true\n` }), registry: node.registry, image: node.image });
    try {
      await other.pull(other.image);
      const config = other.podConfig({ name: 'moved', namespaces: { pid: NamespaceMode.POD } });
      const containerConfigs = configs.map((one) => ({ ...one, labels: { moved: 'yes' } }));
      const restore = (change: object) => other.client.restorePod({ checkpointPath: output, config, runtimeHandler: '', options: {}, containerConfigs, ...change });

      for (const [change, code, pattern] of [
        [{ options: { fast: 'yes' } }, INVALID_ARGUMENT, /restore pod default\/moved: check options "fast": there is no such option/],
        [{ containerConfigs: containerConfigs.slice(1) }, INVALID_ARGUMENT, /the checkpoint has a container one, and the request does not describe it$/],
        [{ containerConfigs: [containerConfigs[0], { ...containerConfigs[1], command: ['sleep', '1'] }] }, FAILED_PRECONDITION, /container two .*its command is .*, and the request describes \["sleep","1"\]$/],
        [{ checkpointPath: folder }, FAILED_PRECONDITION, /it has no pod\.options: it is not whole, or no checkpoint of a pod$/],
      ] as const) {
        await assertFails(restore(change), code, pattern);
        await assertNoTraces(other.daemon);
      }
      const { podSandboxId, restoredContainers } = await restore({});
      assert.deepEqual(restoredContainers.map(({ name }) => name), ['one', 'two']);
      for (const { containerId } of restoredContainers) {
        const found = await other.statusOf(containerId);
        assert.deepEqual([found.state, found.labels], [ContainerState.CONTAINER_CREATED, { moved: 'yes' }]);
        await other.client.startContainer({ containerId });
        await countsOn(containerId, 3, other);
        assert.equal(await other.sh(containerId, 'hostname; cat /etc/made'), 'moved\nchanged');
      }
      await other.removePod({ id: podSandboxId, config });
      await assertNoTraces(other.daemon);
    } finally {
      await other.daemon.stopAndClean();
    }
  });

  test('nothing is left', async () => {
    await ready;
    await assertRemovalLeavesNothing(node.daemon);
    assert.deepEqual(readdirSync(path.join(node.daemon.paths.root, 'checkpoints')), []);
  });
});

/** Whether it stands still: what it counts does not change while we look. */
async function frozen(on: Workload, id: string): Promise<boolean> {
  const before = (await on.log(id)).length;
  await sleep(1000);
  return (await on.log(id)).length === before;
}

function mountOf(hostPath: string, containerPath: string): Mount {
  return message(Mount, { hostPath, containerPath });
}

function tar(...args: string[]): string {
  return execFileSync('tar', args, { encoding: 'utf8' });
}

/** Why CRIU captures nothing here; undefined where it does. */
function whyNot(): string | undefined {
  if (process.env['CGROUP_DRIVER'] === 'systemd') return 'runc restores nothing into a scope of systemd';
  const runtime = process.env['RUNTIME'] ?? 'crun';
  const says = (word: string): string => spawnSync(runtime, [word], { encoding: 'utf8' }).stdout ?? '';
  const knows = says('--version').includes('+CRIU') || /"org\.opencontainers\.runc\.checkpoint\.enabled":\s*"true"/.test(says('features'));
  if (!knows) return `${runtime} is built without CRIU`;
  const check = spawnSync('criu', ['check'], { encoding: 'utf8' });
  return check.status === 0 ? undefined : `CRIU does not work here: ${(check.stderr ?? 'there is none').split('\n')[0]}`;
}
