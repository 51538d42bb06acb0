import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildContainerSpec } from './build-container-spec.ts';
import { argumentSpace } from './check-process-size.ts';
import { exampleInput } from './example-input.fake.ts';
import type { Changes } from './example-input.fake.ts';
import type { OciSpec } from './oci-spec.ts';

const build = (changes: Changes): OciSpec => buildContainerSpec(exampleInput(changes));
const words = (count: number): string[] => Array.from({ length: count }, () => 'x'.repeat(100_000));
const variables = (count: number) => words(count).map((word, index) => ({ key: `V${index}`, value: Buffer.from(word) }));

test('arguments and environment have a quarter of the stack, within what the kernel allows at least and at most', () => {
  const reserve = 8 << 10;

  assert.equal(argumentSpace(8n << 20n), (2 << 20) - reserve);
  assert.equal(argumentSpace(0n), (128 << 10) - reserve);
  assert.equal(argumentSpace(2n ** 64n - 1n), (6 << 20) - reserve);
});

test('more arguments than the kernel passes are refused before a runtime fails on them', () => {
  assert.throws(() => build({ config: { args: words(21) } }), { kind: 'invalid-argument', message: /^check config\.args: arguments and environment take 2100\d{3} bytes, and the kernel passes at most 2088960 to a process/ });
  assert.doesNotThrow(() => build({ config: { args: words(20) } }));
});

test('the environment is named where it is the larger part', () => {
  assert.throws(() => build({ config: { args: words(3), envs: variables(19) } }), { kind: 'invalid-argument', message: /^check config\.envs: arguments and environment take/ });
});

test('a smaller stack leaves less', () => {
  const given: Changes = { config: { args: words(2) } };

  assert.throws(() => build({ ...given, facts: { stackSoftLimit: 512n << 10n } }), { message: /at most 122880 to a process/ });
  assert.doesNotThrow(() => build(given));
});
