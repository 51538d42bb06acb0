import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger as log } from '../../base/log.ts';
import { ContainerConfig, PodSandboxConfig } from '../../gen/cri.ts';
import { checkInRdtClass, checkRdtClass, resourceClasses } from './resource-classes.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-classes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function annotated(annotations: Record<string, string>): { config: ContainerConfig; podConfig: PodSandboxConfig } {
  return { config: { ...ContainerConfig.decode(new Uint8Array()), annotations }, podConfig: PodSandboxConfig.decode(new Uint8Array()) };
}

test('who names no class gets none, and no file is read', async () => {
  assert.deepEqual(await resourceClasses({ blockIoFile: '/absent', log }, annotated({})), { blockIo: undefined, rdtClass: undefined });
});

test('a block I/O class comes from the file', async (t) => {
  const blockIoFile = join(temporary(t), 'blockio.yaml');
  writeFileSync(blockIoFile, 'Classes: { low: [{ Weight: 20 }, { Devices: [/dev/no-such-disk*], ThrottleReadBps: 1M }] }');
  const low = annotated({ 'io.kubernetes.cri.blockio-class': 'low' });

  assert.deepEqual((await resourceClasses({ blockIoFile, log }, low)).blockIo, { weight: 20 });
  await assert.rejects(resourceClasses({ blockIoFile: `${blockIoFile}.absent`, log }, low), {
    kind: 'failed-precondition', message: `use block I/O class low: this node has no classes: there is no file ${blockIoFile}.absent (cgroup.blockio_config_file)`,
  });
  writeFileSync(blockIoFile, 'Classes: [');
  await assert.rejects(resourceClasses({ blockIoFile, log }, low), { kind: 'failed-precondition', message: /^use block I\/O class low: / });
});

test('an RDT class needs resctrl, the group in it, and a runtime that puts the container there', (t) => {
  const root = temporary(t);

  assert.throws(() => checkRdtClass('gold', root), { kind: 'failed-precondition', message: `use RDT class gold: resctrl is not mounted on ${root}: the processor or the kernel has no such feature, or nobody mounted it` });
  writeFileSync(join(root, 'schemata'), '');
  assert.throws(() => checkRdtClass('gold', root), { kind: 'failed-precondition', message: `use RDT class gold: there is no group ${root}/gold; make it first` });
  mkdirSync(join(root, 'gold'));
  writeFileSync(join(root, 'gold/schemata'), '');
  writeFileSync(join(root, 'gold/tasks'), '12\n34\n');
  assert.equal(checkRdtClass('gold', root), 'gold');
  checkInRdtClass('gold', 34, root);
  assert.throws(() => checkInRdtClass('gold', 3, root), { kind: 'failed-precondition', message: 'use RDT class gold: the OCI runtime of this handler did not put the container in it; use one that can (runc)' });
});
