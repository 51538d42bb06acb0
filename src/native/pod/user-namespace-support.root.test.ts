import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { primeThreadPool } from '../../host/namespaces.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import { ProbeCache } from '../../part/oci/probe-cache.ts';
import type { RuntimeProbe } from '../../part/oci/runtime-probe.ts';
import { UserNamespaceSupport } from './user-namespace-support.ts';

before(primeThreadPool);

function runtime(probe: () => Promise<Partial<RuntimeProbe>>): OciRuntime {
  return { name: 'other', path: '/no/such/program', command: { file: '/no/such/program', args: [] }, probe } as unknown as OciRuntime;
}

const able = runtime(async () => ({ version: 'other 9', idmappedMounts: true }));

function support(t: TestContext, change: { kernel?: { major: number; minor: number }; layers?: string; idmapsLayers?: boolean; closed?: boolean } = {}): UserNamespaceSupport {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-support-'));
  t.after(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, change.closed === true ? 0o700 : 0o711);
  for (const name of ['layers', 'state']) mkdirSync(join(folder, name), { mode: 0o711 });
  return new UserNamespaceSupport({ probes: new ProbeCache(), kernel: change.kernel ?? { major: 6, minor: 1 }, layers: change.layers ?? join(folder, 'layers'), idmapsLayers: () => change.idmapsLayers ?? true, state: join(folder, 'state') });
}

async function assertRefuses(asked: UserNamespaceSupport, of: OciRuntime, why: RegExp): Promise<void> {
  await assert.rejects(asked.check(of), (error) => isKind(error, 'failed-precondition') && why.test(String(error)));
  assert.equal(await asked.offeredBy(of), false);
}

test('a node and a runtime that can do it offer user namespaces', async (t) => {
  const asked = support(t);

  await asked.check(able);

  assert.equal(await asked.offeredBy(able), true);
});

test('a runtime that cannot map mounts is named with what to take instead', async (t) => {
  await assertRefuses(support(t), runtime(async () => ({ version: 'runc version 1.1.5', idmappedMounts: false })), /with handler other: runc version 1\.1\.5 cannot make idmapped mounts: take crun 1\.8\.1 or runc 1\.2, or newer/);
});

test('a runtime that cannot be asked offers nothing', async (t) => {
  await assertRefuses(support(t), runtime(async () => { throw new Error('no program'); }), /with handler other: no program/);
});

test('an old kernel is told apart', async (t) => {
  await assertRefuses(support(t, { kernel: { major: 5, minor: 18 } }), able, /overlayfs over idmapped layers needs Linux 5\.19 or newer/);
});

test('a filesystem that cannot map owners is named', async (t) => {
  await assertRefuses(support(t, { layers: '/sys/kernel' }), able, /map the owners of files in \/sys\/kernel/);
});

test('where roots are copied neither kernel nor filesystem has to map layers', async (t) => {
  await support(t, { kernel: { major: 5, minor: 18 }, layers: '/sys/kernel', idmapsLayers: false }).check(able);
});

test('a parent that lets nobody through is named, until it does', async (t) => {
  const asked = support(t, { closed: true });

  await assertRefuses(asked, able, /gantry-support-\w+ lets nobody but its owner through: chmod o\+x it, or choose another --state/);

  chmodSync(/\S+gantry-support-\w+/.exec(String(await asked.check(able).catch(String)))![0], 0o711);
  assert.equal(await asked.offeredBy(able), true);
});
