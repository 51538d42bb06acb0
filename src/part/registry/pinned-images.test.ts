import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDigest } from '../../base/digest.ts';
import { isPinned } from './pinned-images.ts';

const id = parseDigest(`sha256:${'a'.repeat(64)}`);
const image = { id, repoTags: ['docker.io/library/busybox:1.36', 'registry.example/base/tool:2'], repoDigests: [`docker.io/library/busybox@sha256:${'b'.repeat(64)}`] };

test('an image is pinned by any of its names, complete or short, by digest or id', () => {
  for (const name of ['busybox:1.36', 'docker.io/library/busybox:1.36', `busybox@sha256:${'b'.repeat(64)}`, id]) assert.ok(isPinned(image, [name]), name);
  for (const name of ['busybox', 'busybox:1', 'library/busybox:1.37', `sha256:${'c'.repeat(64)}`, 'NO NAME', '']) assert.ok(!isPinned(image, [name]), name);
});

test('a star stands for any characters of a complete name', () => {
  for (const pattern of ['*', 'registry.example/base/*', '*busybox*', 'docker.io/*:1.36', '*/base/*:2']) assert.ok(isPinned(image, [pattern]), pattern);
  for (const pattern of ['busybox*', 'registry.example/*:3', '*tool*tool*', 'docker.io/library/busybox:1.36*1.36']) assert.ok(!isPinned(image, [pattern]), pattern);
});
