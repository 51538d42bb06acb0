import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PodSandboxConfig } from '../gen/cri.ts';
import { containerName, nameAt, podContainerName, stageOf } from './names.ts';

const pod: PodSandboxConfig = { ...PodSandboxConfig.decode(new Uint8Array()), metadata: { name: 'web/0', namespace: 'default', uid: 'u-1', attempt: 2 } };

test('names are those that Docker nodes always had, of letters that the Engine takes, and never the same twice', () => {
  assert.match(podContainerName(pod), /^k8s_POD_web-0_default_u-1_2_[0-9a-f]{8}$/);
  assert.match(containerName({ name: 'main', attempt: 3 }, pod), /^k8s_main_web-0_default_u-1_3_[0-9a-f]{8}$/);
  assert.notEqual(podContainerName(pod), podContainerName(pod));
});

test('a name says how far its pod is', () => {
  const name = podContainerName(pod);

  for (const stage of ['making', 'made', 'stopped'] as const) {
    assert.equal(stageOf(nameAt(stage, name)), stage);
    assert.equal(nameAt('made', nameAt(stage, name)), name);
  }
});
