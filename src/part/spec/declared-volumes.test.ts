import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mount } from '../../gen/cri.ts';
import { declaredVolumes } from './declared-volumes.ts';
import { unset } from './example-input.fake.ts';

const image = (...paths: string[]) => ({ Volumes: Object.fromEntries(paths.map((path) => [path, {}])) });

test('an image without volumes has none', () => {
  assert.deepEqual(declaredVolumes({}, []), []);
  assert.deepEqual(declaredVolumes({ Volumes: null }, []), []);
});

test('each path counts once, written in whichever way', () => {
  assert.deepEqual(declaredVolumes(image('/var/lib/data', '/var//lib/./data/', 'relative/path'), []), ['/var/lib/data', '/relative/path']);
});

test('what the CRI mounts itself is no volume of the image; beside it or below it there may be one', () => {
  const mounts = [{ ...unset(Mount), containerPath: '/data/./' }];

  assert.deepEqual(declaredVolumes(image('/data', '/data/sub', '/database'), mounts), ['/data/sub', '/database']);
});

test("no image puts its files in the place of the kernel's or of the pod's (CVE-2019-16884)", () => {
  assert.deepEqual(declaredVolumes(image('/proc', '/proc/self/attr', '/sys/fs/cgroup', '/dev/shm', '/etc/resolv.conf', '/etc/hostname', '/process', '/etc'), []), ['/process', '/etc']);
});

test('what cannot be a volume is refused', () => {
  for (const [paths, message] of [
    [['/'], `make the image's VOLUME "/": the root itself cannot be a volume`],
    [['.'], `make the image's VOLUME ".": the root itself cannot be a volume`],
    [['/a/../../b'], `make the image's VOLUME "/a/../../b": it is not a path in the container`],
    [['/a\0b'], `make the image's VOLUME "/a\\u0000b": it is not a path in the container`],
    [Array.from({ length: 101 }, (_, n) => `/${n}`), `make the image's VOLUME 101 volumes: more than 100 are too many`],
  ] as const) {
    assert.throws(() => declaredVolumes(image(...paths), []), { kind: 'failed-precondition', message });
  }
});
