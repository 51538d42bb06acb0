import { test } from 'node:test';
import assert from 'node:assert/strict';
import { emptySpec } from './empty-spec.ts';
import { encodeSpec } from './encode-spec.ts';

test('numbers of 64 bits keep every digit', () => {
  const spec = emptySpec();
  const rlimits = [{ type: 'RLIMIT_CORE', soft: 9_007_199_254_740_993n, hard: 18_446_744_073_709_551_615n }];

  const text = encodeSpec({ ...spec, process: { ...spec.process, rlimits } });

  assert.ok(text.includes('"rlimits":[{"type":"RLIMIT_CORE","soft":9007199254740993,"hard":18446744073709551615}]'));
});

