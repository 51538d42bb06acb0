import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { defaults } from '../base/config/load.ts';
import type { Config } from '../base/config/schema.ts';
import { assemble } from '../base/config/values.ts';
import { defaultSeccompProfile } from '../part/spec/default-seccomp-profile.ts';
import { buildDefaults } from './build-defaults.ts';

const folder = mkdtempSync(join(tmpdir(), 'gantry-defaults-'));
after(() => rmSync(folder, { recursive: true }));

const standard = assemble(defaults().entries);
const container = (change: Partial<Config['container']>) => buildDefaults({ ...standard, container: { ...standard.container, ...change } });
const baseSpec = (path: string) => buildDefaults({ ...standard, runtime: { ...standard.runtime, handlers: { odd: { ...standard.runtime.handlers['crun']!, baseSpec: path } } } });

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('without a configuration containers get what Kubernetes documents', async () => {
  const built = await buildDefaults(standard);

  assert.equal(built.container.seccomp, defaultSeccompProfile);
  assert.equal(built.container.capabilities.length, 14);
  assert.equal(built.container.localtime, undefined);
  assert.deepEqual(built.handlers.get('crun'), { allowedAnnotations: [], annotations: {}, baseSpec: undefined, privilegedDevices: 'all', minMemory: 0, seccomp: undefined });
});

test('a file in place of the built-in filter is read and checked', async () => {
  const good = file('good.json', '{"defaultAction":"SCMP_ACT_LOG"}');
  const bad = file('bad.json', '{"defaultAction":"maybe"}');

  assert.equal((await container({ seccompProfile: good })).container.seccomp.defaultAction, 'SCMP_ACT_LOG');
  await assert.rejects(container({ seccompProfile: bad }), { kind: 'failed-precondition', message: `read seccomp profile ${bad}: defaultAction is not valid: "maybe"` });
  await assert.rejects(container({ seccompProfile: join(folder, 'none') }), { kind: 'failed-precondition', message: new RegExp(`^read container.seccomp_profile ${folder}/none: ENOENT`) });
});

test('a base spec is read and checked', async () => {
  const good = file('base.json', '{"hooks":{}}');

  assert.deepEqual((await baseSpec(good)).handlers.get('odd')?.baseSpec, { members: { hooks: {} } });
  await assert.rejects(baseSpec(file('list.json', '[]')), { kind: 'failed-precondition', message: `read base spec ${folder}/list.json: it is not a JSON object` });
  await assert.rejects(baseSpec(folder), { kind: 'failed-precondition', message: `read runtime.handlers.odd.base_spec ${folder}: not a regular file` });
});

test('a time zone is a file of the node', async (t) => {
  await assert.rejects(container({ timezone: 'Mars/Olympus' }), { kind: 'failed-precondition', message: /^use container\.timezone Mars\/Olympus: ENOENT.*; install the package tzdata, or correct the name$/ });
  await assert.rejects(container({ timezone: 'Europe' }), { kind: 'failed-precondition' });
  const known = await container({ timezone: 'Europe/Berlin' }).catch(() => undefined);
  if (known === undefined) return t.skip('no /usr/share/zoneinfo on this machine');
  assert.match(known.container.localtime ?? '', /^\/usr\/share\/zoneinfo\//);
});

test('a handler has a filter of its own, read and checked like the node\'s, and ground of its own for its pods', async () => {
  const handler = (change: Partial<Config['runtime']['handlers'][string]>) => buildDefaults({ ...standard, runtime: { ...standard.runtime, handlers: { odd: { ...standard.runtime.handlers['crun']!, ...change } } } });
  const good = file('handler.json', '{"defaultAction":"SCMP_ACT_LOG"}');

  const built = await handler({ seccompProfile: good, cniConfDir: '/etc/cni/odd.d', snapshotter: 'copy' });

  assert.equal(built.handlers.get('odd')?.seccomp?.defaultAction, 'SCMP_ACT_LOG');
  assert.deepEqual(built.grounds.get('odd'), { cniConfDir: '/etc/cni/odd.d', snapshotter: 'copy' });
  assert.deepEqual((await handler({})).grounds.get('odd'), { cniConfDir: undefined, snapshotter: undefined });
  await assert.rejects(handler({ seccompProfile: join(folder, 'none') }), { kind: 'failed-precondition', message: new RegExp(`^read runtime.handlers.odd.seccomp_profile ${folder}/none: ENOENT`) });
});
