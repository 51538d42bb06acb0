import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Criu, errorsOf, whyCheckFailed } from './criu.ts';

const vdso = `Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds
Error (criu/vdso.c:613): vdso: Failed to fill self vdso symtable
Error (criu/kerndat.c:1615): kerndat_vdso_fill_symtable failed when initializing kerndat.
Error (criu/crtools.c:260): Could not initialize kernel features detection.
`;

test('what CRIU lacks is told by the features that its check names, the first ones only', () => {
  assert.equal(whyCheckFailed('3.17.1', vdso), 'CRIU 3.17.1 does not work on this kernel, says criu check: vdso: Unexpected rt vDSO area bounds; vdso: Failed to fill self vdso symtable; kerndat_vdso_fill_symtable failed when initializing kerndat. (this kernel is newer than this CRIU: install a newer one)');
  assert.equal(whyCheckFailed('4.1', 'Warn  (criu/a.c:1): odd\nError (criu/cr-check.c:1223): UFFD is not supported\nDirty tracking is OFF.\n'), 'CRIU 4.1 does not work on this kernel, says criu check: UFFD is not supported');
  assert.equal(whyCheckFailed('4.1', ''), 'CRIU 4.1 does not work on this kernel, says criu check: without a reason');
});

test('of a log only errors count, each once, without time, process and place, and without what does no harm', () => {
  const log = `(00.000123) Dumping processes
(00.010000) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.020000) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
(00.020100)     77: Error (criu/files.c:900): Can't dump\u0007 file 5
(00.020200) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
`;

  assert.deepEqual(errorsOf(log), ['inet: Connected TCP socket, consider using --tcp-established option.', "Can't dump  file 5"]);
});

function folderWith(t: TestContext, script?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-criu-'));
  t.after(() => rmSync(folder, { recursive: true }));
  if (script !== undefined) writeFileSync(join(folder, 'criu'), `#!/bin/sh\necho asked >> ${folder}/asked\n${script}\n`, { mode: 0o755 });
  return folder;
}

test('a CRIU that works is known by its version, and not asked again; one that does not work is', async (t) => {
  const folder = folderWith(t, 'case $1 in --version) echo Version: 4.1.1;; check) [ -e "${0%/*}/broken" ] && { echo "Error (a.c:1): no uffd" >&2; exit 1; }; echo Looks good.;; esac');
  const criu = new Criu(() => folder);
  writeFileSync(join(folder, 'broken'), '');

  assert.deepEqual(await criu.state(), { shortcoming: 'CRIU 4.1.1 does not work on this kernel, says criu check: no uffd' });
  rmSync(join(folder, 'broken'));
  assert.deepEqual(await criu.state(), { version: '4.1.1' });
  writeFileSync(join(folder, 'broken'), '');
  assert.deepEqual(await criu.state(), { version: '4.1.1' });
});

test('where there is no CRIU it says what to install', async (t) => {
  assert.deepEqual(await new Criu(() => folderWith(t)).state(), { shortcoming: 'there is no program criu: install the package criu' });
});
