import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleInput } from './example-input.fake.ts';
import { resourceClassOf } from './resource-class.ts';

function classWith(container: Record<string, string>, pod: Record<string, string>): string | undefined {
  const { config, podConfig } = exampleInput({ config: { annotations: container } });
  return resourceClassOf('blockio', { config, podConfig: { ...podConfig, annotations: pod } });
}

test('the most specific annotation names the class', () => {
  const [ofPod, ofContainer] = [{ 'blockio.resources.beta.kubernetes.io/pod': 'a' }, { 'blockio.resources.beta.kubernetes.io/container.web': 'b' }];

  assert.equal(classWith({}, {}), undefined);
  assert.equal(classWith({}, { 'rdt.resources.beta.kubernetes.io/pod': 'x', 'blockio.resources.beta.kubernetes.io/container.other': 'y' }), undefined);
  assert.equal(classWith({}, ofPod), 'a');
  assert.equal(classWith({}, { ...ofPod, ...ofContainer }), 'b');
  assert.equal(classWith({ 'io.kubernetes.cri.blockio-class': 'c' }, { ...ofPod, ...ofContainer }), 'c');
});

test('what is no name of a class is refused', () => {
  for (const name of ['..', 'a/b', '.hidden', 'a\0']) {
    assert.throws(() => classWith({ 'io.kubernetes.cri.blockio-class': name }, {}), { kind: 'invalid-argument', message: `check config.annotations[io.kubernetes.cri.blockio-class]: ${JSON.stringify(name)} is no name of a class` });
  }
});
