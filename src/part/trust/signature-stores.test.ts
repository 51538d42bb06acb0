import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { plainName } from './names.fake.ts';
import { findSignatureStores } from './signature-stores.ts';

function folderWith(t: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-stores-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test('of each setting the narrowest scope counts that has it', async (t) => {
  const folder = folderWith(t, {
    'default.yaml': 'default-docker:\n  sigstore: file:///srv/all/\n  use-sigstore-attachments: false\n',
    'ours.yaml': 'docker:\n  reg.example:\n    lookaside: https://sig.example/x\n    sigstore: https://old.example\n  reg.example/team:\n    use-sigstore-attachments: true\n  "*.org":\n    lookaside: http://sig.example:8080\n',
    'ignored.yml': 'docker: [',
  });
  const cases: [image: string, lookaside: string, attachments: boolean, from: string][] = [
    ['reg.example/team/app:v1', 'https://sig.example/x/team/app', true, 'ours.yaml'],
    ['reg.example/app:v1', 'https://sig.example/x/app', false, 'ours.yaml'],
    ['some.org/app:v1', 'http://sig.example:8080/app', false, 'ours.yaml'],
    ['other.net/a/b:v1', 'file:///srv/all/a/b', false, 'default.yaml'],
  ];
  for (const [image, lookaside, attachments, from] of cases) {
    const found = await findSignatureStores(folder, plainName(image));
    assert.deepEqual([found.lookaside.href, found.attachments, found.lookasideFrom], [lookaside, attachments, join(folder, from)], image);
  }
});

test('where nobody says anything the usual folder counts, and no attachments', async () => {
  const found = await findSignatureStores('/nonexistent/registries.d', plainName('reg.example/app:v1'));

  assert.deepEqual([found.lookaside.href, found.attachments, found.lookasideFrom], ['file:///var/lib/containers/sigstore/app', false, undefined]);
});

test('files that contradict each other or cannot be understood are refused by name', async (t) => {
  const cases: [files: Record<string, string>, message: RegExp][] = [
    [{ 'a.yaml': 'docker:\n  r.example:\n    lookaside: file:///a\n', 'b.yaml': 'docker:\n  r.example:\n    use-sigstore-attachments: true\n' }, /b\.yaml: r\.example is described in .*a\.yaml too/],
    [{ 'a.yaml': 'default-docker:\n  lookaside: file:///a\n', 'b.yaml': 'default-docker:\n  lookaside: file:///b\n' }, /b\.yaml: default-docker is described in/],
    [{ 'a.yaml': 'docker: [' }, /a\.yaml: /],
    [{ 'a.yaml': 'docker:\n  r.example:\n    use-sigstore-attachments: "on"\n' }, /a\.yaml: docker\.r\.example\.use-sigstore-attachments: want true or false/],
    [{ 'a.yaml': 'docker:\n  r.example:\n    lookaside: ftp://x\n' }, /a\.yaml: "ftp:\/\/x" is not a file:, http: or https: address/],
    [{ 'a.yaml': 'docker:\n  r.example:\n    lookaside: https://bob:hunter2@sig.example/\n' }, /a\.yaml: the address at sig\.example must have no credentials, \? or #$/],
  ];
  for (const [files, message] of cases) {
    await assert.rejects(findSignatureStores(folderWith(t, files), plainName('r.example/app:v1')), { kind: 'failed-precondition', message }, JSON.stringify(files));
  }
});
