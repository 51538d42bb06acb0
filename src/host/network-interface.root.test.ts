import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNamespaces, inNetworkNamespace, primeThreadPool, removeNamespaces } from './namespaces.ts';
import { addAddress, bringUp } from './network-interface.ts';

test('an interface is given addresses of both families, and keeps what it has', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-addresses-'));
  const directory = join(dir, 'ns');
  t.after(async () => {
    await removeNamespaces(directory);
    rmSync(dir, { recursive: true });
  });
  await primeThreadPool();
  await createNamespaces({ directory, net: true, ipc: false, uts: false, sysctls: {} });

  const found = inNetworkNamespace(join(directory, 'net'), () => {
    bringUp('lo');
    for (const address of ['10.9.8.7', 'fd00::9:5', 'fd00::9:5']) addAddress('lo', address);
    return networkInterfaces()['lo']!.map(({ address }) => address);
  });

  assert.ok(found.includes('10.9.8.7') && found.includes('fd00::9:5'), found.join(' '));
});
