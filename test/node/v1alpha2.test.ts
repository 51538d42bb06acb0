/** Kubelets up to 1.25 call runtime.v1alpha2: the same life of a pod through it. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerState, ImageSpec, LinuxContainerResources } from '../../src/gen/cri.ts';
import type { LinuxContainerSecurityContext } from '../../src/gen/cri.ts';
import { criClient } from '../support/cri-client.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertNoTraces } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const old = criClient(node.daemon.paths.socket, 'v1alpha2');
after(() => old.close());

test('the version says which interface was asked', async () => {
  assert.equal((await old.version()).runtimeApiVersion, 'v1alpha2');
  assert.equal((await node.client.version()).runtimeApiVersion, 'v1');
});

test('a pod lives its whole life through v1alpha2, and v1 sees the same', async () => {
  const image = message(ImageSpec, { image: node.image });
  const { imageRef } = await old.pullImage({ image });
  const config = node.podConfig();
  const { podSandboxId } = await old.runPodSandbox({ config });
  const pod = { id: podSandboxId, config };
  const { containerId } = await old.createContainer({ podSandboxId, config: node.containerConfig(pod, { script: 'echo from the old days; exec sleep 86399' }), sandboxConfig: config });
  await old.startContainer({ containerId });

  const { stdout, exitCode } = await old.execSync({ containerId, cmd: ['echo', 'hello'], timeout: 10n });
  await old.updateContainerResources({ containerId, linux: message(LinuxContainerResources, { cpuShares: 512n }) });

  assert.deepEqual([Buffer.from(stdout).toString(), exitCode], ['hello\n', 0]);
  assert.equal((await old.imageStatus({ image })).image?.id, imageRef);
  const [then, now] = [(await old.containerStatus({ containerId })).status, await node.statusOf(containerId)];
  assert.deepEqual([then?.id, then?.state, then?.imageRef, then?.logPath], [now.id, now.state, now.imageRef, now.logPath]);
  assert.deepEqual((await old.listPodSandbox()).items.map(({ id }) => id), (await node.client.listPodSandbox()).items.map(({ id }) => id));
  assert.equal((await old.containerStats({ containerId })).stats?.attributes?.id, containerId);
  await old.stopContainer({ containerId, timeout: 0n });
  assert.equal((await node.statusOf(containerId)).state, ContainerState.CONTAINER_EXITED);
  await old.stopPodSandbox({ podSandboxId });
  await old.removePodSandbox({ podSandboxId });
  assert.deepEqual((await node.client.listPodSandbox()).items, []);
  await assertNoTraces(node.daemon);
});

test('profiles that an old kubelet names by strings are honoured', async () => {
  const config = node.podConfig();
  const { podSandboxId } = await old.runPodSandbox({ config });
  const seccompOf = async (security: Partial<LinuxContainerSecurityContext>): Promise<string> => {
    const { containerId } = await old.createContainer({ podSandboxId, config: node.containerConfig({ id: podSandboxId, config }, { security }), sandboxConfig: config });
    await old.startContainer({ containerId });
    return await node.sh(containerId, 'grep Seccomp: /proc/1/status');
  };

  assert.equal(await seccompOf({ seccompProfilePath: 'runtime/default' }), 'Seccomp:\t2');
  assert.equal(await seccompOf({ seccompProfilePath: 'unconfined' }), 'Seccomp:\t0');
  await assertFails(seccompOf({ seccompProfilePath: 'localhost//nowhere/profile.json' }), status.FAILED_PRECONDITION, /read seccomp profile \/nowhere\/profile\.json/);
  await assertFails(seccompOf({ seccompProfilePath: 'default' }), status.INVALID_ARGUMENT, /seccomp_profile_path: "default" is none of runtime\/default, unconfined and localhost/);
  await assertFails(seccompOf({ apparmorProfile: 'default' }), status.INVALID_ARGUMENT, /apparmor_profile: "default" is none of/);
  assert.equal(await seccompOf({ apparmorProfile: 'runtime/default', seccompProfilePath: 'docker/default' }), 'Seccomp:\t2');
  await old.removePodSandbox({ podSandboxId });
});

test('failures have the same codes', async () => {
  await assertFails(old.containerStatus({ containerId: 'f'.repeat(64) }), status.NOT_FOUND, /no such container/);
  await assertFails(old.runPodSandbox({ config: node.podConfig(), runtimeHandler: 'unheard-of' }), status.INVALID_ARGUMENT, /unheard-of/);
});
