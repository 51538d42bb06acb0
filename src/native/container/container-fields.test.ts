/**
 * What each field of a container's requests does that is not part of its OCI spec, or why it is refused; src/part/spec/cri-fields.test.ts has the
 * table of those that are. Each row names the test that proves it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOfTable } from '../../gen/request-fields.fake.ts';
import type { Proof } from '../../gen/request-fields.fake.ts';

interface Row {
  /** As the proto spells it. */
  readonly field: string;
  readonly proof: Proof;
}

const row = (field: string, file: string, name: string): Row => ({ field, proof: { file, test: name } });
const refusals = 'test/node/refusals.test.ts';
const spec = 'src/part/spec/cri-fields.test.ts';
const rpcs = 'src/face/cri/rpcs.test.ts';

const rows: readonly Row[] = [
  row('CreateContainerRequest.pod_sandbox_id', 'test/node/errors.test.ts', 'create container: pod_sandbox_id is missing'),
  row('CreateContainerRequest.config', 'test/node/errors.test.ts', 'config is missing'),
  row('CreateContainerRequest.sandbox_config', refusals, 'a container for another pod than the one that is meant is refused'),
  row('ContainerMetadata.name', 'src/part/spec/check-container-config.test.ts', 'config.metadata.name: it is longer than 253 bytes'),
  row('ContainerMetadata.attempt', 'src/engine/cri-contract.suite.ts', 'the name and attempt of a container are taken for another one'),

  row('ImageSpec.image', 'test/node/images.test.ts', 'an image is found by id, short id, tag and digest'),
  row('ImageSpec.annotations', 'src/part/spec/check-container-config.test.ts', 'config.image.annotations["a"]: it has a NUL byte'),
  row('ImageSpec.user_specified_image', spec, "field: 'ContainerConfig.image'"),
  row('ImageSpec.runtime_handler', refusals, 'what an image is called besides is told back as it was sent'),
  row('ImageSpec.image_ref', refusals, 'what an image is called besides is told back as it was sent'),

  row('CDIDevice.name', spec, "field: 'ContainerConfig.CDIDevices'"),
  row('Int64Value.value', spec, 'run_as_user: 4294967296 is not an id from 0 to 2147483647'),
  row('UserNamespace.mode', spec, 'namespace_options.userns_options.mode: it can only be POD or NODE'),
  row('UserNamespace.uids', spec, "field: 'NamespaceOption.usernsOptions'"),
  row('UserNamespace.gids', spec, "field: 'NamespaceOption.usernsOptions'"),
  row('IDMapping.host_id', spec, "field: 'Mount.uidMappings'"),
  row('IDMapping.container_id', spec, "field: 'Mount.uidMappings'"),
  row('IDMapping.length', spec, "field: 'Mount.uidMappings'"),

  row('UpdateContainerResourcesRequest.container_id', 'test/node/errors.test.ts', 'container_id is missing'),
  row('UpdateContainerResourcesRequest.linux', 'test/node/stats.test.ts', 'limits can be changed while it runs: those that are named, and no others'),
  row('UpdateContainerResourcesRequest.windows', rpcs, 'update resources of container windows: this is a Linux node'),
  row('UpdateContainerResourcesRequest.annotations', rpcs, 'annotations of a change of limits go to the engine with it'),
];

test('every field of the requests for containers that the spec does not show has a row, and every proof is there', () => {
  assert.deepEqual(faultsOfTable('src/native/container/container-fields.test.ts', rows), []);
});
