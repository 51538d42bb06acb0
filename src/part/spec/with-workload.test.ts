import { test } from 'node:test';
import assert from 'node:assert/strict';
import { buildContainerSpec } from './build-container-spec.ts';
import { exampleInput } from './example-input.fake.ts';
import type { OciSpec } from './oci-spec.ts';
import type { Workload } from './with-workload.ts';

const management: Workload = { activationAnnotation: 'class.example/management', annotationPrefix: 'cpu.class.example', allowedAnnotations: ['seen.example/*'], cpu: { shares: 20n, cpus: '0' } };

/** The container `web` of a pod with these annotations, with 512 shares and the processors 2 and 3 of its own. */
function build(annotations: Record<string, string>, workloads: readonly Workload[] = [management]): OciSpec {
  const input = exampleInput({ resources: { cpuShares: 512n, cpusetCpus: '2-3', memoryLimitInBytes: 9n << 20n }, defaults: { workloads } });
  return buildContainerSpec({ ...input, podConfig: { ...input.podConfig, annotations } });
}
const cpuOf = (own: string): unknown => build({ [management.activationAnnotation]: '', 'cpu.class.example/web': own }).linux.resources.cpu;

test('a pod without the annotation keeps its own figures', () => {
  assert.deepEqual(build({ 'cpu.class.example/web': '{"cpushares": 5}' }).linux.resources.cpu, { shares: 512n, cpus: '2-3' });
});

test('a pod of the class gets its figures, and keeps what the class does not say', () => {
  const { cpu, memory } = build({ [management.activationAnnotation]: 'any' }).linux.resources;

  assert.deepEqual(cpu, { shares: 20n, cpus: '0' });
  assert.equal(memory?.limit, 9n << 20n);
  assert.deepEqual(build({ [management.activationAnnotation]: '' }, [{ ...management, cpu: {} }]).linux.resources.cpu, { shares: 512n, cpus: '2-3' });
});

test('an annotation for the container changes the figures of that one', () => {
  assert.deepEqual(cpuOf('{"cpushares": 100}'), { shares: 100n, cpus: '0' });
  assert.deepEqual(cpuOf('{"cpuset": "1", "cpuquota": 5000, "cpuperiod": 50000}'), { shares: 20n, cpus: '1', quota: 5000n, period: 50_000n });
  assert.deepEqual(cpuOf('{"cpulimit": 1500}'), { shares: 20n, cpus: '0', quota: 150_000n, period: 100_000n });
  assert.deepEqual(build({ [management.activationAnnotation]: '', 'cpu.class.example/other': '{"cpushares": 100}' }).linux.resources.cpu, { shares: 20n, cpus: '0' });
  assert.deepEqual(build({ [management.activationAnnotation]: '', '/web': '{"cpushares": 100}' }, [{ ...management, annotationPrefix: '' }]).linux.resources.cpu, { shares: 20n, cpus: '0' });
});

test('an annotation that makes no sense is refused by its name', () => {
  const refused = (own: string, why: string): void => assert.throws(() => cpuOf(own), { kind: 'invalid-argument', message: `check sandbox_config.annotations[cpu.class.example/web]: ${why}` });

  refused('5', '"5" is not a JSON object such as {"cpushares": 512}');
  refused('{', '"{" is not a JSON object such as {"cpushares": 512}');
  refused('{"memory": 5}', '"memory" is none of cpushares, cpuquota, cpuperiod, cpuset, cpulimit');
  refused('{"cpushares": 1}', 'cpushares is not a whole number from 2 to 262144');
  refused('{"cpuquota": "5"}', 'cpuquota is not a whole number from 1000 to 9007199254740991');
  refused('{"cpuset": "a"}', 'cpuset is not a list such as "0-3,7"');
  refused('{"cpulimit": 500, "cpuquota": 5000}', 'cpulimit and cpuquota cannot both be given');
});

test('the first class of the configuration counts, and its runtime sees what the class allows', () => {
  const other: Workload = { ...management, activationAnnotation: 'class.example/other', allowedAnnotations: [], cpu: { shares: 30n } };
  const annotations = { [other.activationAnnotation]: '', [management.activationAnnotation]: '', 'seen.example/a': '1', 'hidden.example/a': '1' };

  assert.equal(build(annotations, [other, management]).linux.resources.cpu?.shares, 30n);
  assert.equal(build(annotations, [other, management]).annotations['seen.example/a'], undefined);
  assert.equal(build(annotations).annotations['seen.example/a'], '1');
  assert.equal(build(annotations).annotations['hidden.example/a'], undefined);
});
