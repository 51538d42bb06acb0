/**
 * Requests that a broken or malicious client could send, hundreds of them, to a real daemon: each is met or refused by the name of a field, the
 * daemon stays, and nothing is left behind. A failure prints the seed; SEED=… repeats it.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { hostilePods } from '../../src/part/spec/hostile-pods.fake.ts';
import { exampleInput } from '../../src/part/spec/example-input.fake.ts';
import { hostileChanges } from '../../src/part/spec/hostile-changes.fake.ts';
import { text, texts } from '../../src/part/spec/hostile-values.fake.ts';
import { ContainerMetadata, ImageSpec, LinuxContainerResources, PodSandboxMetadata } from '../../src/gen/cri.ts';
import type { ContainerConfig, SecurityProfile } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { client, daemon } = node;
const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
const callDeadlineMs = 30_000;

/** What bad input may be answered with; not one of them says that the daemon or the runtime is at fault. */
const documented: ReadonlySet<number> = new Set([status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.UNIMPLEMENTED, status.NOT_FOUND]);
/** The kubelet knows these refusals by the word in front, and the CRI's own errors have no better code (cri-api, pkg/errors). */
const namedReason = /^(ImageVolumeMountFailed|RROUnsupported): /;
/** A field as the proto spells it, or the kernel's file that a limit of the request was written to. */
const fieldForm = /\b(?:cpu|cpuset|memory|hugetlb)\.\w+|\b(config|sandbox_config|linux|cmd)\b[._[]?|\b(runtime_handler|timeout|container_id|pod_sandbox_id)\b/;

/** The answer, or undefined when the request was refused as documented. */
async function metOrRefused<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const { code, details } = error as { code: status; details: string };
    assert.ok(documented.has(code) || (code === status.UNKNOWN && namedReason.test(details)), `${status[code]}: ${details}`);
    if (code === status.INVALID_ARGUMENT) assert.match(details, fieldForm);
    return undefined;
  }
}

async function manyTimes<T>(numRuns: number, requests: fc.Arbitrary<T>, send: (request: T) => Promise<boolean>): Promise<void> {
  const counts = { met: 0, refused: 0 };
  await fc.assert(fc.asyncProperty(requests, async (request) => {
    counts[await send(request) ? 'met' : 'refused'] += 1;
  }), { numRuns, seed, endOnFailure: true });
  assert.ok(counts.met > 0 && counts.refused > 0, `a test of only one kind of answer: ${JSON.stringify(counts)}`);
  await client.version();
}

test('hostile pods are run or refused by the name of a field, and leave nothing', async (t) => {
  t.diagnostic(`SEED=${seed}`);

  await manyTimes(100, hostilePods({ cgroupParent: `${daemon.cgroupParent}/hostile` }), async (config) => {
    const made = await metOrRefused(client.runPodSandbox({ config }, { deadlineMs: callDeadlineMs }));
    if (made !== undefined) await node.removePod({ id: made.podSandboxId, config });
    return made !== undefined;
  });

  await assertNoTraces(daemon);
});

/** A hostile config with those of its sane values exchanged that this node or image does not have; the hostile ones stay. */
function forThisNode(config: ContainerConfig, volume: string): ContainerConfig {
  const { securityContext, resources } = config.linux!;
  const without = (value: string): string => (value.startsWith('localhost/') ? '' : value);
  const here = (profile: SecurityProfile | undefined): SecurityProfile | undefined => (['/p.json', 'shop'].includes(profile?.localhostRef ?? '') ? undefined : profile);
  return {
    ...config,
    image: message(ImageSpec, { image: node.image }),
    command: config.command.map((word) => (['/bin/x', '/bin/serve'].includes(word) ? '/bin/sh' : word)),
    // A volume in the node's own tree would have directories made there where mounts lie in one another.
    mounts: config.mounts.map((mount) => ({ ...mount, hostPath: mount.hostPath.startsWith('/') && !mount.hostPath.includes('..') ? volume : mount.hostPath })),
    linux: {
      securityContext: {
        ...securityContext!,
        // The pods of this file have the node's users.
        namespaceOptions: securityContext!.namespaceOptions && { ...securityContext!.namespaceOptions, usernsOptions: undefined },
        seccomp: here(securityContext!.seccomp),
        apparmor: here(securityContext!.apparmor),
        seccompProfilePath: without(securityContext!.seccompProfilePath),
        apparmorProfile: without(securityContext!.apparmorProfile),
      },
      resources: resources && { ...resources, unified: {}, cpuQuota: resources.cpuQuota === 9n ? 0n : resources.cpuQuota, memoryLimitInBytes: resources.memoryLimitInBytes === 9n ? 64n << 20n : resources.memoryLimitInBytes, memorySwapLimitInBytes: 0n },
    },
  };
}

test('hostile containers are created or refused by the name of a field, and leave nothing', async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const pod = await node.runPod();
  const volume = path.join(daemon.paths.dir, 'volume');
  mkdirSync(volume);

  const configs = fc.tuple(hostileChanges, text('web'), text('web/0.log', ''), fc.nat())
    .map(([changes, name, logPath, index]) => ({ ...forThisNode(exampleInput(changes).config, volume), metadata: message(ContainerMetadata, { name: name && `${name}-${index}` }), logPath }));
  await manyTimes(120, configs, async (config) => {
    const made = await metOrRefused(client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, { deadlineMs: callDeadlineMs }));
    if (made !== undefined) await client.removeContainer({ containerId: made.containerId });
    return made !== undefined;
  });

  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('hostile changes of limits and hostile commands are met or refused, and the container goes on', async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const pod = await node.runPod();
  const containerId = await node.runContainer(pod);

  const limits = hostileChanges.map(({ resources }) => message(LinuxContainerResources, resources));
  await manyTimes(100, limits, async (linux) => await metOrRefused(client.updateContainerResources({ containerId, linux }, { deadlineMs: callDeadlineMs })) !== undefined);
  const commands = fc.tuple(texts('true', 'echo').map((words) => ['true', ...words]), text('true'), fc.constantFrom(0n, 10n, -1n));
  await manyTimes(60, commands, async ([words, program, timeout]) =>
    await metOrRefused(client.execSync({ containerId, cmd: [program, ...words], timeout }, { deadlineMs: callDeadlineMs })) !== undefined);

  assert.equal(await node.sh(containerId, 'echo still here'), 'still here');
  await node.removePod(pod);
  await assertNoTraces(daemon);
});

test('a pod of an unknown handler is refused', async () => {
  await assertFails(node.runPod({}, 'kata'), status.INVALID_ARGUMENT, /^check runtime_handler: find runtime handler "kata": known are /);
  await assertNoTraces(daemon);
});

test('a container for another pod than the one that is meant is refused', async () => {
  const pod = await node.runPod();
  const config = node.containerConfig(pod, {});
  const meant = node.podConfig({ name: 'other' });

  await assertFails(client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: meant }), status.INVALID_ARGUMENT,
    /check sandbox_config\.metadata\.name: it is "other", and the pod of pod_sandbox_id has "pod-\d+"/);
  await assertFails(client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: { ...pod.config, metadata: message(PodSandboxMetadata, { ...pod.config.metadata!, namespace: 'kube-system' }) } }),
    status.INVALID_ARGUMENT, /check sandbox_config\.metadata\.namespace: it is "kube-system", and the pod of pod_sandbox_id has "default"/);

  await node.removePod(pod);
});

test('what an image is called besides is told back as it was sent', async () => {
  const pod = await node.runPod();
  const image = message(ImageSpec, { image: node.image, userSpecifiedImage: 'shop:2', runtimeHandler: 'fast', imageRef: 'sha256:1', annotations: { a: 'b' } });

  const id = await node.createContainer(pod, { config: { image } });

  const { containers } = await client.listContainers({ filter: { id, state: undefined, podSandboxId: '', labelSelector: {} } });
  assert.deepEqual(containers[0]?.image, image);
  await node.removePod(pod);
});

test('as many arguments as the kernel takes are taken, and more are refused before a runtime fails on them', async () => {
  const pod = await node.runPod();
  const words = (count: number): string[] => Array.from({ length: count }, () => 'x'.repeat(100_000));

  const id = await node.runContainer(pod, { command: ['sh', '-c', 'sleep 86399'], args: words(19) });
  await assertFails(node.createContainer(pod, { args: words(100) }), status.INVALID_ARGUMENT, /check config\.args: arguments and environment take \d+ bytes, and the kernel passes at most \d+/);
  await assertFails(client.execSync({ containerId: id, cmd: ['true', ...words(100)] }), status.INVALID_ARGUMENT, /check cmd: arguments and environment take \d+ bytes/);
  await assertFails(client.execSync({ containerId: id, cmd: ['true', 'a\0b'] }), status.INVALID_ARGUMENT, /check cmd\[1\]: it has a NUL byte/);
  const { exitCode } = await client.execSync({ containerId: id, cmd: ['true', ...words(19)] });

  assert.equal(exitCode, 0);
  await node.removePod(pod);
});

test('names and log paths may have letters of any alphabet', async () => {
  const pod = await node.runPod();

  const id = await node.runContainer(pod, { name: 'grüezi', logPath: 'größe/値.log', script: 'echo written' });
  await node.ended(id);

  assert.deepEqual((await node.log(id)).map((line) => line.text), ['written']);
  await node.removePod(pod);
});

test('of all that was refused nothing is left', () => assertNoTraces(daemon));
