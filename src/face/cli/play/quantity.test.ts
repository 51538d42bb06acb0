import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuantity } from './quantity.ts';

test('quantities are exact, and rounded up', () => {
  const bytes: [string, bigint][] = [
    ['0', 0n], ['128', 128n], ['1Ki', 1024n], ['1Gi', 2n ** 30n], ['1.5Gi', 1610612736n], ['1G', 10n ** 9n], ['1e3', 1000n], ['1E3', 1000n],
    ['12e+2', 1200n], ['1e-1', 1n], ['1k', 1000n], ['100m', 1n], ['1001m', 2n], ['.5Ki', 512n], ['2.', 2n], ['+3', 3n], ['1E', 10n ** 18n], ['8Ei', 2n ** 63n],
  ];
  for (const [text, value] of bytes) assert.equal(parseQuantity(text, 0), value, text);
});

test('cpu is counted in thousandths', () => {
  const milli: [string, bigint][] = [['1', 1000n], ['100m', 100n], ['0.1', 100n], ['2.5', 2500n], ['1u', 1n], ['1500u', 2n], ['1e-3', 1n]];
  for (const [text, value] of milli) assert.equal(parseQuantity(text, 3), value, text);
});

test('what is no quantity is not taken for one', () => {
  for (const text of ['', '.', 'm', '1Gib', '1gi', '-1', '1 Gi', '1e', '0x10', 'Infinity', '1e1000', '9'.repeat(50)]) assert.equal(parseQuantity(text, 0), undefined, text);
});
