/** OCI runtimes and monitors that are absent or fail: the message says which and why, and nothing is left. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState } from '../../src/gen/cri.ts';
import { assertFails, eventually, startWorkload, type Workload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';

const runtime = process.env.RUNTIME ?? 'crun';
const programs = mkdtempSync(path.join(os.tmpdir(), 'programs-'));
after(() => rmSync(programs, { recursive: true, force: true }));

/** A runtime that is the real one but for some of its commands: `when` is shell text that sees the command as `$command`. It is named after the real one, as the daemon knows what each of them needs. */
function double(name: string, when: string): string {
  const file = path.join(programs, `${runtime}-${name}`);
  const real = ['/usr/bin', '/usr/sbin'].map((dir) => `"${dir}/${runtime}"`).join(' ');
  writeFileSync(file, `#!/bin/sh
for word; do case $word in create|start|kill|delete|exec|state|update) command=$word; break ;; esac; done
${when}
for real in ${real}; do [ -x "$real" ] && exec "$real" "$@"; done
`, { mode: 0o755 });
  return file;
}

const handlers = {
  ghost: path.join(programs, 'ghost'),
  nocreate: double('nocreate', '[ "$command" != create ] || { echo "no room at the inn" >&2; exit 1; }'),
  nostart: double('nostart', '[ "$command" != start ] || { echo "will not start" >&2; exit 1; }'),
  liesofstart: double('liesofstart', `[ "$command" != start ] || { "$(command -v ${runtime})" "$@"; echo "could not" >&2; exit 1; }`),
  nodelete: double('nodelete', `[ "$command" != delete ] || [ -e ${programs}/allowed ] || { echo "will not go" >&2; exit 1; }`),
  noexec: double('noexec', `[ "$command" != exec ] || { touch ${programs}/asked; while [ ! -e ${programs}/go ]; do sleep 0.02; done; echo "lost the thread" >&2; exit 1; }`),
  nokill: double('nokill', '[ "$command" != kill ] || { echo "does not kill" >&2; exit 1; }'),
};
const config = Object.entries(handlers).map(([name, file]) => `[runtime.handlers.${name}]\npath = "${file}"\n`).join('');

const node = await startWorkload({ config });
after(() => node.stop());
const { daemon, client } = node;

/** Runs a pod with that handler, lets the test do its worst, and removes the pod again. */
async function withPod(handler: keyof typeof handlers, work: (pod: Awaited<ReturnType<Workload['runPod']>>) => Promise<void>): Promise<void> {
  const pod = await node.runPod({}, handler);
  await work(pod);
  await node.removePod(pod);
  await assertNoTraces(daemon);
}

test('an unknown handler is refused, and the message says which there are', async () => {
  await assertFails(node.runPod({}, 'unheard-of'), status.INVALID_ARGUMENT, /unheard-of.*crun.*runc/);
  await assertNoTraces(daemon);
});

test('a handler whose program is not installed: its pods run, their containers say what is missing; the node does not offer it', async () => {
  await withPod('ghost', async (pod) => {
    await assertFails(node.createContainer(pod), status.FAILED_PRECONDITION, /create container container-\d+ in pod default\/pod-\d+: .*runtime handler ghost: no program .*\/ghost; install it or correct the handler's path/);
  });
  const { runtimeHandlers, status: condition } = await client.status();
  assert.ok(!runtimeHandlers.some(({ name }) => name === 'ghost'));
  assert.equal(condition?.conditions.find(({ type }) => type === 'RuntimeReady')?.status, true, 'the default handler is there');
});

test('a runtime that fails to create is quoted, and the half-made container is gone', async () => {
  await withPod('nocreate', async (pod) => {
    await assertFails(node.createContainer(pod), status.INTERNAL, /create container container-\d+ in pod default\/pod-\d+: nocreate: no room at the inn$/);
    assert.deepEqual((await client.listContainers()).containers, []);
  });
});

test('a runtime that fails to start is quoted; the container stays created and can be removed', async () => {
  await withPod('nostart', async (pod) => {
    const id = await node.createContainer(pod);

    await assertFails(client.startContainer({ containerId: id }), status.INTERNAL, /start container container-\d+: nostart: will not start$/);

    assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_CREATED);
    await client.removeContainer({ containerId: id });
  });
});

test('a runtime that starts a container and says that it could not: the container runs, and is called running', async () => {
  await withPod('liesofstart', async (pod) => {
    const id = await node.runContainer(pod);

    assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  });
});

test('a runtime that fails to delete: the removal says so, and succeeds once it can', async () => {
  await withPod('nodelete', async (pod) => {
    const id = await node.runContainer(pod);

    await assertFails(client.removeContainer({ containerId: id }), status.INTERNAL, /remove container container-\d+: .*nodelete: will not go/);
    assert.equal((await client.listContainers()).containers.length, 1, 'it can be tried again');

    writeFileSync(path.join(programs, 'allowed'), '');
    await client.removeContainer({ containerId: id });
  });
});

test('a runtime that cannot kill does not keep its container alive', async () => {
  await withPod('nokill', async (pod) => {
    const id = await node.runContainer(pod);

    await client.stopContainer({ containerId: id, timeout: 0n });

    assert.equal((await node.ended(id)).exitCode, 137);
  });
});

test('a runtime that fails to exec is quoted; when the container ended meanwhile, that is told instead', async () => {
  await withPod('noexec', async (pod) => {
    const id = await node.runContainer(pod);

    const ofEnding = assertFails(client.execSync({ containerId: id, cmd: ['true'], timeout: 30n }), status.FAILED_PRECONDITION, /exec in container [0-9a-f]{64}: it ended before the command did/);
    await eventually(() => rmSync(path.join(programs, 'asked')));
    await client.stopContainer({ containerId: id, timeout: 0n });
    writeFileSync(path.join(programs, 'go'), '');
    await ofEnding;

    const other = await node.runContainer(pod);
    await assertFails(client.execSync({ containerId: other, cmd: ['true'], timeout: 30n }), status.INTERNAL, /exec in container [0-9a-f]{64}: noexec: lost the thread/);
  });
});

test('a runtime that is uninstalled while its container runs: status still answers, and it can be stopped', async () => {
  const gone = double('gone', 'true');
  writeFileSync(daemon.paths.configFile, `${config}[runtime.handlers.gone]\npath = "${gone}"\n`);
  await daemon.restart();
  const pod = await node.runPod({}, 'gone');
  const id = await node.runContainer(pod);

  rmSync(gone);

  assert.equal((await node.statusOf(id)).state, ContainerState.CONTAINER_RUNNING);
  await assertFails(client.execSync({ containerId: id, cmd: ['true'], timeout: 5n }), status.FAILED_PRECONDITION, /runtime handler gone: no program/);
  await client.stopContainer({ containerId: id, timeout: 0n });
  assert.equal((await node.ended(id)).exitCode, 137);
  double('gone', 'true');
  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('without conmon a container is refused, naming the path', async () => {
  writeFileSync(daemon.paths.configFile, `[runtime]\nconmon = "${programs}/conmon"\n${config}`);
  await daemon.restart();
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod), status.FAILED_PRECONDITION, /no program .*\/conmon; install conmon or correct its path/);

  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('a conmon that ends at once is told, with what it said', async () => {
  writeFileSync(path.join(programs, 'conmon'), '#!/bin/sh\necho "conmon is unwell" >&2\nexit 1\n', { mode: 0o755 });
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod), status.INTERNAL, /conmon ended without an answer: conmon is unwell/);

  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('a conmon that lies: nonsense, and a process that is not there', async () => {
  const pod = await node.runPod();
  for (const [answer, told] of [['oh well', /create container container-\d+ in pod default\/pod-\d+: .*oh well$/], ['{"data": 4194303}', /its process ended right after it was created$/]] as const) {
    writeFileSync(path.join(programs, 'conmon'), `#!/bin/sh\nread go <&4; echo '${answer}' >&3; sleep 0.1\n`, { mode: 0o755 });

    await assertFails(node.createContainer(pod), status.INTERNAL, told);
  }
  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('a conmon that hangs is ended when the handler\'s time is over', async () => {
  writeFileSync(daemon.paths.configFile, `[runtime]\nconmon = "${programs}/conmon"\n[runtime.handlers.${runtime}]\npath = "/usr/bin/${runtime}"\ncreate_timeout = "1s"\n${config}`);
  writeFileSync(path.join(programs, 'conmon'), '#!/bin/sh\nsleep 600\n', { mode: 0o755 });
  await daemon.restart();
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod), status.DEADLINE_EXCEEDED, new RegExp(`${runtime} did not finish within 1 s$`));

  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('a daemon that is killed while the runtime creates undoes that container at its next start', async () => {
  const slow = double('slow', `[ "$command" != create ] || { touch ${programs}/begun; sleep 600; }`);
  writeFileSync(daemon.paths.configFile, `${config}[runtime.handlers.slow]\npath = "${slow}"\n`);
  await daemon.restart();
  const pod = await node.runPod({}, 'slow');
  const creating = node.createContainer(pod).catch(() => {});
  await eventually(() => rmSync(path.join(programs, 'begun')));

  await daemon.kill9();
  await creating;
  await daemon.restart();

  assert.deepEqual((await client.listContainers()).containers, []);
  await node.removePod(pod);
  await assertNoTraces(daemon);
});
