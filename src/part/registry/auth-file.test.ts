import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { findInAuthFiles } from './auth-file.ts';

const auth = (text: string): string => Buffer.from(text).toString('base64');

async function makeFolder(t: TestContext): Promise<{ write(name: string, content: object | string): Promise<string>; helper(name: string, script: string): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-auth-'));
  const { PATH } = process.env;
  process.env['PATH'] = `${directory}${delimiter}${PATH}`;
  t.after(async () => {
    process.env['PATH'] = PATH;
    await rm(directory, { recursive: true });
  });
  return {
    async write(name, content) {
      await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
      return join(directory, name);
    },
    helper: async (name, script) => await writeFile(join(directory, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 }),
  };
}

test('the longest entry that fits the repository counts, in the first file that has one', async (t) => {
  const { write } = await makeFolder(t);
  const docker = await write('config.json', { auths: { 'r.io': { auth: auth('wide:1') }, 'https://index.docker.io/v1/': { auth: auth('hub:2') } } });
  const podman = await write('auth.json', { auths: { 'r.io/team': { auth: auth('team:3') }, 'r.io/team/app': { auth: auth('app:4') }, 'r.io': { auth: auth('later:5') } } });
  const user = async (files: string[], host: string, repository: string): Promise<unknown> => {
    const found = await findInAuthFiles(files, host, repository);
    return found?.credentials.kind === 'basic' ? found.credentials.username : found;
  };

  assert.equal(await user([podman], 'r.io', 'team/app'), 'app');
  assert.equal(await user([podman], 'r.io', 'team/other'), 'team');
  assert.equal(await user([podman], 'r.io', 'teams'), 'later');
  assert.equal(await user([docker, podman], 'r.io', 'team/app'), 'wide');
  assert.equal(await user([docker], 'docker.io', 'library/busybox'), 'hub');
  assert.equal(await user([docker], 'r.io:5000', 'x'), undefined);
  assert.equal(await user(['/nowhere.json'], 'r.io', 'x'), undefined);
});

test('tokens are taken as what they are, and the source is named without them', async (t) => {
  const { write } = await makeFolder(t);
  const file = await write('config.json', { auths: { 'id.io': { auth: auth('u:p'), identitytoken: 'refresh' }, 'reg.io': { registrytoken: 'bearer' }, 'plain.io': { username: 'u', password: 'p' }, 'empty.io': {} } });

  assert.deepEqual(await findInAuthFiles([file], 'id.io', 'a'), { credentials: { kind: 'identity-token', token: 'refresh' }, source: `${file} (id.io)` });
  assert.deepEqual((await findInAuthFiles([file], 'reg.io', 'a'))?.credentials, { kind: 'registry-token', token: 'bearer' });
  assert.deepEqual((await findInAuthFiles([file], 'plain.io', 'a'))?.credentials, { kind: 'basic', username: 'u', password: 'p' });
  assert.equal(await findInAuthFiles([file], 'empty.io', 'a'), undefined);
});

test('a helper is asked for its registry, the store for the rest, over the protocol of docker-credential-helpers', async (t) => {
  const { write, helper } = await makeFolder(t);
  await helper('cloud', 'read server; [ "$1" = get ] && printf \'{"ServerURL":"%s","Username":"%s","Secret":"s"}\' "$server" "$server"');
  await helper('store', 'read server; [ "$server" = known.io ] || { echo "credentials not found in native keychain"; exit 1; }; echo \'{"Username":"<token>","Secret":"refresh"}\'');
  const file = await write('config.json', { credHelpers: { 'cloud.io': 'cloud', 'docker.io': 'cloud' }, credsStore: 'store' });

  assert.deepEqual(await findInAuthFiles([file], 'cloud.io', 'a'), { credentials: { kind: 'basic', username: 'cloud.io', password: 's' }, source: `docker-credential-cloud, named in ${file}` });
  assert.deepEqual((await findInAuthFiles([file], 'docker.io', 'a'))?.credentials, { kind: 'basic', username: 'https://index.docker.io/v1/', password: 's' });
  assert.deepEqual((await findInAuthFiles([file], 'known.io', 'a'))?.credentials, { kind: 'identity-token', token: 'refresh' });
  assert.equal(await findInAuthFiles([file], 'unknown.io', 'a'), undefined);
});

test('a helper that fails says so, and its answer is never shown', async (t) => {
  const { write, helper } = await makeFolder(t);
  await helper('broken', 'echo "vault is sealed"; exit 3');
  await helper('babbling', 'echo hunter2');
  await helper('silent', 'echo "{}"');
  const file = await write('config.json', { credHelpers: { 'broken.io': 'broken', 'babbling.io': 'babbling', 'silent.io': 'silent', 'gone.io': 'not-there' } });

  await assert.rejects(findInAuthFiles([file], 'broken.io', 'a'), /ask credential helper docker-credential-broken: it ended with code 3 for broken.io: "vault is sealed"/);
  await assert.rejects(findInAuthFiles([file], 'babbling.io', 'a'), (error: Error) => /its answer is not JSON/.test(error.message) && !JSON.stringify(error).includes('hunter2'));
  await assert.rejects(findInAuthFiles([file], 'silent.io', 'a'), /its answer for silent.io has no Username and Secret/);
  await assert.rejects(findInAuthFiles([file], 'gone.io', 'a'), /docker-credential-not-there: it is not installed; .*config.json names it for gone.io/);
});

test('a file that makes no sense is refused without showing what is in it', async (t) => {
  const { write } = await makeFolder(t);
  const refused = async (content: object | string, why: RegExp): Promise<void> => {
    const file = await write('bad.json', content);
    await assert.rejects(findInAuthFiles([file], 'r.io', 'a'), (error: Error) => {
      assert.match(error.message, why);
      return !error.message.includes('hunter2') && !String(error.cause ?? '').includes('hunter2');
    });
  };

  await refused('{"auths": hunter2', /read credentials file .*bad.json: it is not JSON/);
  await refused({ auths: [] }, /auths must be an object/);
  await refused({ auths: { 'r.io': 'hunter2' } }, /auths: r.io must be an object of strings/);
  await refused({ auths: { 'r.io': { auth: auth('hunter2') } } }, /auth of r.io is not base64 of user:password/);
  await refused({ credHelpers: { 'r.io': '../../bin/sh' } }, /the name of a credential helper has letters, digits/);
});
