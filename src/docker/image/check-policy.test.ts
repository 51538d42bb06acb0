import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseReference } from '../../part/registry/reference.ts';
import { checkLoadPolicy, checkPullPolicy } from './check-policy.ts';

const signed = [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/keys/team.gpg' }];
const accept = [{ type: 'insecureAcceptAnything' }];
const reject = [{ type: 'reject' }];

describe('the signature policy with a Docker Engine', () => {
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), 'gantry-policy-')); });
  after(() => rm(dir, { recursive: true, force: true }));

  const written = async (policy: unknown): Promise<{ path: string; optional: boolean }> => {
    const path = join(dir, 'policy.json');
    await writeFile(path, typeof policy === 'string' ? policy : JSON.stringify(policy));
    return { path, optional: true };
  };
  const pull = async (policy: unknown, image: string): Promise<void> => checkPullPolicy(await written(policy), parseReference(image));
  const layered = { default: reject, transports: { docker: { 'r.example': accept, 'r.example/team': signed } } };

  test('an image that needs no signature is pulled, and everything where there is no policy', async () => {
    await pull(layered, 'r.example/app:1');
    await checkPullPolicy({ path: join(dir, 'none.json'), optional: true }, parseReference('busybox'));
    await checkLoadPolicy({ path: join(dir, 'none.json'), optional: true });
  });

  const refusals: readonly [name: string, policy: unknown, image: string, message: RegExp][] = [
    ['a scope that wants a signature', layered, 'r.example/team/app:1', /scope r\.example\/team of the docker transport, requirement 1 \(signedBy\): the Docker Engine pulls r\.example\/team\/app and verifies no signatures: pull it with engine = "native", or/],
    ['a scope that rejects', layered, 'busybox', /the default, requirement 1 \(reject\): images such as docker\.io\/library\/busybox are not to be used/],
    ['a file that cannot be understood', '{', 'busybox', /read signature policy .*no image is taken until it is mended/],
  ];
  for (const [name, policy, image, message] of refusals) {
    test(`a pull is refused by ${name}`, async () => {
      await assert.rejects(pull(policy, image), { kind: 'failed-precondition', message });
    });
  }

  test('an archive is refused where either format is not accepted, before the Engine sees it', async () => {
    await checkLoadPolicy(await written({ default: accept }));
    await assert.rejects(async () => checkLoadPolicy(await written({ default: signed })), /\(signedBy\): an archive brings no signatures with it/);
    await assert.rejects(async () => checkLoadPolicy(await written({ default: accept, transports: { 'oci-archive': { '': reject } } })), /the default of the oci-archive transport, requirement 1 \(reject\)/);
  });
});
