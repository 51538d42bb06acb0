/** Requests that cannot be met: each failure has the code and the words that docs/errors.md promises, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { ContainerMetadata, ContainerState, ImageSpec, LinuxPodSandboxConfig, NamespaceMode, PodSandboxMetadata, SecurityProfile, SecurityProfile_ProfileType } from '../../src/gen/cri.ts';
import { message } from '../support/cri-messages.ts';
import { assertFails, startWorkload } from '../support/workload.ts';
import { assertNoTraces, assertRemovalLeavesNothing } from '../support/workload-traces.ts';

const node = await startWorkload();
after(() => node.stop());
const { client, daemon } = node;
const unknownId = 'f'.repeat(64);
const { NOT_FOUND, INVALID_ARGUMENT, FAILED_PRECONDITION, ALREADY_EXISTS, RESOURCE_EXHAUSTED, UNIMPLEMENTED } = status;

test('whoever asks for what is not there hears what it was', async () => {
  const containerId = unknownId;
  const podSandboxId = unknownId;

  await assertFails(client.podSandboxStatus({ podSandboxId }), NOT_FOUND, /find pod f{64}: no such pod/);
  await assertFails(client.podSandboxStats({ podSandboxId }), NOT_FOUND, /no such pod/);
  await assertFails(client.createContainer({ podSandboxId, config: node.containerConfig({ id: podSandboxId, config: node.podConfig() }, {}) }), NOT_FOUND, /no such pod/);
  for (const call of ['startContainer', 'containerStatus', 'containerStats', 'reopenContainerLog'] as const) {
    await assertFails(client[call]({ containerId }), NOT_FOUND, /find container f{64}: no such container/);
  }
  await assertFails(client.execSync({ containerId, cmd: ['true'] }), NOT_FOUND, /find container f{64}: no such container/);
});

test('a missing field is named as the proto names it', async () => {
  const pod = await node.runPod();
  const config = node.containerConfig(pod, {});
  const podMetadata = pod.config.metadata!;

  await assertFails(client.runPodSandbox({}), INVALID_ARGUMENT, /run pod: config is missing/);
  await assertFails(client.runPodSandbox({ config: node.podConfig({ config: { metadata: undefined } }) }), INVALID_ARGUMENT, /config\.metadata is missing/);
  await assertFails(client.runPodSandbox({ config: node.podConfig({ config: { metadata: message(PodSandboxMetadata, { ...podMetadata, name: '' }) } }) }), INVALID_ARGUMENT, /config\.metadata\.name is missing/);
  await assertFails(client.runPodSandbox({ config: node.podConfig({ config: { metadata: message(PodSandboxMetadata, { ...podMetadata, namespace: '' }) } }) }), INVALID_ARGUMENT, /config\.metadata\.namespace is missing/);
  await assertFails(client.stopPodSandbox({}), INVALID_ARGUMENT, /pod_sandbox_id is missing/);
  await assertFails(client.createContainer({ config }), INVALID_ARGUMENT, /create container: pod_sandbox_id is missing/);
  await assertFails(client.createContainer({ podSandboxId: pod.id }), INVALID_ARGUMENT, /config is missing/);
  await assertFails(client.createContainer({ podSandboxId: pod.id, config: { ...config, metadata: undefined } }), INVALID_ARGUMENT, /config\.metadata is missing/);
  await assertFails(client.createContainer({ podSandboxId: pod.id, config: { ...config, metadata: message(ContainerMetadata) } }), INVALID_ARGUMENT, /config\.metadata\.name is missing/);
  await assertFails(client.createContainer({ podSandboxId: pod.id, config: { ...config, image: undefined } }), INVALID_ARGUMENT, /config\.image is missing/);
  await assertFails(client.createContainer({ podSandboxId: pod.id, config: { ...config, image: message(ImageSpec) } }), INVALID_ARGUMENT, /config\.image\.image is missing/);
  for (const call of ['startContainer', 'stopContainer', 'removeContainer', 'containerStatus', 'containerStats', 'reopenContainerLog', 'execSync', 'updateContainerResources'] as const) {
    await assertFails(client[call](), INVALID_ARGUMENT, /container_id is missing/);
  }
  await assertFails(client.pullImage({}), INVALID_ARGUMENT, /image is missing/);
  await assertFails(client.updateContainerResources({ containerId: unknownId }), INVALID_ARGUMENT, /linux is missing/);
});

test('names that would be paths are refused', async () => {
  const pod = await node.runPod();
  const named = (name: string) => ({ metadata: message(PodSandboxMetadata, { name, namespace: 'default', uid: 'u' }) });

  await assertFails(client.runPodSandbox({ config: node.podConfig({ config: named('../../etc') }) }), INVALID_ARGUMENT, /config\.metadata\.name: "\.\.\/\.\.\/etc" is no name/);
  await assertFails(node.createContainer(pod, { name: '../../etc', logPath: 'x.log' }), INVALID_ARGUMENT, /config\.metadata\.name/);
});

test('what a pod cannot be is refused, naming the field', async () => {
  const linux = (fields: Partial<LinuxPodSandboxConfig>) => ({ linux: message(LinuxPodSandboxConfig, fields) });

  await assertFails(node.runPod({ config: { hostname: 'x'.repeat(65) } }), INVALID_ARGUMENT, /config\.hostname: it is longer than 64 bytes/);
  await assertFails(node.runPod({ config: { hostname: 'two words' } }), INVALID_ARGUMENT, /config\.hostname: "two words" is not a host name/);
  await assertFails(node.runPod({ logDirectory: 'relative' }), INVALID_ARGUMENT, /config\.log_directory: "relative" is not an absolute path/);
  await assertFails(node.runPod({ config: linux({ cgroupParent: '/../..' }) }), INVALID_ARGUMENT, /config\.linux\.cgroup_parent/);
  await assertFails(node.runPod({ namespaces: { usernsOptions: { mode: NamespaceMode.POD, uids: [], gids: [] } } }), INVALID_ARGUMENT, /userns_options\.uids: there has to be exactly one mapping, not 0/);
});

test('what a container cannot be is refused, naming the field', async () => {
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod, { config: { workingDir: 'relative' } }), INVALID_ARGUMENT, /config\.working_dir/);
  await assertFails(node.createContainer(pod, { config: { workingDir: '/proc/self/fd/3' } }), INVALID_ARGUMENT, /config\.working_dir.*inside a process's own directory/);
  await assertFails(node.createContainer(pod, { config: { envs: [{ key: 'A=B', value: Buffer.from('') }] } }), INVALID_ARGUMENT, /config\.envs\[0\]/);
  await assertFails(node.createContainer(pod, { security: { runAsUser: { value: -1n } } }), INVALID_ARGUMENT, /run_as_user/);
  const profile = (localhostRef: string) => ({ security: { seccomp: message(SecurityProfile, { profileType: SecurityProfile_ProfileType.Localhost, localhostRef }) } });
  await assertFails(node.createContainer(pod, profile('/no/such/profile.json')), FAILED_PRECONDITION, /read seccomp profile \/no\/such\/profile\.json/);
});

test('the wrong state is told', async () => {
  const pod = await node.runPod();
  await node.runContainer(pod, { name: 'taken' });
  const stopped = await node.runPod();
  await client.stopPodSandbox({ podSandboxId: stopped.id });

  await assertFails(node.createContainer(stopped), FAILED_PRECONDITION, /create container in pod default\/pod-\d+: the pod is not ready: it was stopped/);
  await assertFails(node.createContainer(pod, { name: 'taken' }), ALREADY_EXISTS, /create container taken \(attempt 0\): the pod has one of this name and attempt: [0-9a-f]{64}, running; remove it or give the next attempt number/);
});

test('an image that cannot be a root is refused, and a prefix of nothing is not found', async () => {
  const pod = await node.runPod();

  await assertFails(node.createContainer(pod, { image: 'sha256:0123456789' }), NOT_FOUND, /create container container-\d+ in pod default\/pod-\d+: find image sha256:0123456789: it is not on this node: pull it first/);
});

test('a message over the limit is refused, and the next one is answered', async () => {
  const huge = node.podConfig({ config: { annotations: { huge: 'x'.repeat(17 << 20) } } });

  await assertFails(client.runPodSandbox({ config: huge }), RESOURCE_EXHAUSTED, /16777216|larger/);

  assert.equal((await client.version()).runtimeName, 'gantry');
});

test('calls that come with a later version say so', async () => {
  await assertFails(client.listMetricDescriptors({}), UNIMPLEMENTED, /./);
});

test('a failed creation leaves the name free for the next try', async () => {
  const pod = await node.runPod();
  const config = node.containerConfig(pod, { image: `${node.registry.host}/test/late:1` });
  const creating = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  await assertFails(client.createContainer(creating), NOT_FOUND, /pull it first/);

  const { containerId } = await client.createContainer({ ...creating, config: { ...config, image: message(ImageSpec, { image: node.image }) } });

  assert.equal((await node.statusOf(containerId)).state, ContainerState.CONTAINER_CREATED);
});

test('many failed calls leave nothing behind', async () => {
  await assertRemovalLeavesNothing(daemon);
  const pod = await node.runPod();
  const failing = [
    ...Array.from({ length: 10 }, () => node.createContainer(pod, { command: ['/no/such/program'], config: { mounts: [] } }).then((containerId) => client.startContainer({ containerId }))),
    ...Array.from({ length: 10 }, () => node.createContainer(pod, { security: { runAsUsername: 'ghost' } })),
    ...Array.from({ length: 10 }, () => node.runPod({ config: { linux: message(LinuxPodSandboxConfig, { sysctls: { 'net.ipv4.no_such_thing': '1' } }) } })),
  ];

  const outcomes = await Promise.allSettled(failing);

  assert.deepEqual(new Set(outcomes.map((outcome) => outcome.status)), new Set(['rejected']));
  await node.removePod(pod);
  await assertNoTraces(daemon);
});
