import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatContainer, jsonOf, parseContainer, parseDeletedFiles, parseSpec } from './documents.ts';
import { formatPodOptions, parsePodOptions } from './pod-documents.ts';

const bad = (why: string): object => ({ kind: 'failed-precondition', message: `read checkpoint: ${why}` });

test('config.dump has the fields and times that checkpointctl reads', () => {
  const at = new Date('2026-01-02T03:04:05.678Z');
  const bytes = formatContainer({ id: 'c1', name: 'web', image: 'docker.io/library/web:1', imageId: 'sha256:ab', handler: 'runc', createdAt: at, capturedAt: at });

  assert.deepEqual(JSON.parse(bytes.toString()), {
    id: 'c1', name: 'web', rootfsImage: 'docker.io/library/web:1', rootfsImageRef: 'sha256:ab', rootfsImageName: 'docker.io/library/web:1', runtime: 'runc',
    createdTime: '2026-01-02T03:04:05.678Z', checkpointedTime: '2026-01-02T03:04:05.678Z', restoredTime: '0001-01-01T00:00:00Z', restored: false,
  });
  assert.deepEqual(parseContainer(bytes), { name: 'web', images: ['sha256:ab', 'docker.io/library/web:1', 'docker.io/library/web:1'] });
});

test('what is no config.dump is refused', () => {
  assert.throws(() => parseContainer(Buffer.from('{')), bad('config.dump is no JSON'));
  assert.throws(() => parseContainer(Buffer.from('[]')), bad('config.dump is no JSON object'));
  assert.throws(() => parseContainer(Buffer.from('{"name":1,"rootfsImage":2}')), bad('config.dump does not say which image the container is of'));
});

test('of spec.dump only what can be compared is read, whatever else and of whatever type is there', () => {
  const spec = { process: { args: ['sh', 3], env: ['A=b'], cwd: '/', terminal: true, user: { uid: 5, gid: 6 } }, mounts: [{ destination: '/a', type: 'bind' }, { destination: '/b', options: ['ro', 'rbind'] }, { destination: '/proc', type: 'proc' }, 'odd'], linux: { namespaces: [{ type: 'uts' }] } };

  assert.deepEqual(parseSpec(jsonOf(spec)), { args: ['sh'], env: ['A=b'], cwd: '/', terminal: true, uid: 5, gid: 6, bindMounts: ['/a', '/b'], namespaces: ['uts'] });
  assert.deepEqual(parseSpec(Buffer.from('{}')), { args: [], env: [], cwd: '', terminal: false, uid: 0, gid: 0, bindMounts: [], namespaces: [] });
});

test('deleted files are paths in a root, and nothing else', () => {
  assert.deepEqual(parseDeletedFiles(Buffer.from('["/etc/group","var//x/./y"]')), ['etc/group', 'var/x/y']);
  assert.deepEqual(parseDeletedFiles(Buffer.from('null')), [], 'as Go writes no list');
  for (const path of ['/', '..', '/etc/../../x', 'a\0b', '']) {
    assert.throws(() => parseDeletedFiles(Buffer.from(JSON.stringify([path]))), bad(`deleted.files names ${JSON.stringify(path)}, which is no path in a root`));
  }
  assert.throws(() => parseDeletedFiles(Buffer.from('{"a":1}')), bad('deleted.files is no list of paths'));
});

test('a 64-bit number is a text', () => {
  assert.equal(jsonOf({ at: 2n ** 62n }).toString(), '{\n  "at": "4611686018427387904"\n}\n');
});

test('pod.options says which archive is of which container', () => {
  const bytes = formatPodOptions(new Map([['web', 'container-0'], ['log', 'container-1']]));

  assert.deepEqual([...parsePodOptions(bytes)], [['web', 'container-0.tar'], ['log', 'container-1.tar']]);
  for (const [text, why] of [
    ['{', 'pod.options is no JSON'],
    ['null', 'pod.options has not version 1'],
    ['{"version":2}', 'pod.options has not version 1'],
    ['{"version":1}', 'pod.options names no containers'],
    ['{"version":1,"containers":{"a":"../x"}}', 'pod.options gives container "a" an archive with a name that is none'],
    ['{"version":1,"containers":{"a":".hidden"}}', 'pod.options gives container "a" an archive with a name that is none'],
  ] as const) assert.throws(() => parsePodOptions(Buffer.from(text)), bad(why), text);
});
