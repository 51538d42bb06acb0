import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { failure } from '../../base/errors.ts';
import { PathResolver } from '../../host/path-resolver.ts';
import { resolveHostPath } from './resolve-host-path.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gantry-host-path-')));
const paths = new PathResolver();
after(async () => {
  await paths.close();
  rmSync(folder, { recursive: true });
});

const deps = (createMissingHostPaths: boolean) => ({ paths, volumeSettings: () => ({ createMissingHostPaths, imageVolumes: 'bind' as const }) });

test('a path that the node lacks is refused by its field, or made', async () => {
  const path = join(folder, 'a/b');

  await assert.rejects(resolveHostPath(deps(false), path, 'config.mounts[0]'), { kind: 'failed-precondition', message: `check config.mounts[0].host_path: this node has no ${path}: make it, or correct the path` });
  assert.equal(existsSync(path), false);
  assert.equal(await resolveHostPath(deps(true), path, 'config.mounts[0]'), path);
  assert.equal(await resolveHostPath(deps(false), path, 'config.mounts[0]'), path);
});

test('a file system that does not answer is told of by the field, and nothing is made on it', async () => {
  const late = failure('deadline-exceeded', { act: 'find', object: '/mnt/dead', why: 'its file system did not answer within 10 s' });
  const dead = { ...deps(true), paths: { resolve: () => Promise.reject(late), makeDirectory: () => assert.fail('nothing is to be made') } as unknown as PathResolver };

  await assert.rejects(resolveHostPath(dead, '/mnt/dead', 'config.mounts[1]'), { kind: 'deadline-exceeded', message: 'check config.mounts[1].host_path: find /mnt/dead: its file system did not answer within 10 s' });
});
