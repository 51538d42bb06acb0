import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { heldAddresses } from './held-addresses.ts';
import type { NetworkConfig } from './network-config.ts';

function networkWith(ipam: object): NetworkConfig {
  return { name: 'podnet', versions: ['1.0.0'], plugins: [{ type: 'bridge', capabilities: [], config: { type: 'bridge', ipam } }], disableCheck: false, disableGC: false, file: '' };
}

test('addresses are known by the files of host-local, and one that somebody else has got meanwhile stays', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'held-addresses-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const folder = join(dataDir, 'podnet');
  const file = (name: string): string => join(folder, name);
  mkdirSync(folder);
  writeFileSync(file('10.1.0.2'), 'one\r\neth0');
  writeFileSync(file('fd00::2'), 'one\neth0');
  writeFileSync(file('10.1.0.3'), 'two\r\neth0');
  writeFileSync(file('last_reserved_ip.0'), '10.1.0.3');
  writeFileSync(file('lock'), '');

  const found = (await heldAddresses([networkWith({ type: 'host-local', dataDir }), networkWith({ type: 'dhcp' })])).filter(({ name }) => name.startsWith(dataDir));

  assert.deepEqual(found.map(({ kind, name, owner }) => [kind, name, owner]).sort(), [
    ['address', file('10.1.0.2'), 'one'], ['address', file('10.1.0.3'), 'two'], ['address', file('fd00::2'), 'one'],
  ]);
  writeFileSync(file('10.1.0.3'), 'three\r\neth0');
  for (const address of found) await address.remove();
  for (const address of found) await address.remove();
  assert.deepEqual(['10.1.0.2', 'fd00::2', '10.1.0.3', 'lock'].map((name) => existsSync(file(name))), [false, false, true, true]);
});
