import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference, isLoopback, parseName, parseReference, repoDigestOf, repoTagOf } from './reference.ts';
import { parseDigest } from '../../base/digest.ts';

const digest = parseDigest(`sha256:${'a'.repeat(64)}`);

test('a reference is completed as Docker completes it', () => {
  const complete: Record<string, string> = {
    busybox: 'docker.io/library/busybox:latest',
    'busybox:1.36': 'docker.io/library/busybox:1.36',
    'bitnami/redis': 'docker.io/bitnami/redis:latest',
    'docker.io/busybox': 'docker.io/library/busybox:latest',
    'index.docker.io/library/busybox': 'docker.io/library/busybox:latest',
    'registry.k8s.io/pause:3.9': 'registry.k8s.io/pause:3.9',
    'localhost/app': 'localhost/app:latest',
    'localhost:5000/app': 'localhost:5000/app:latest',
    'host:5000/a/b/c:v1': 'host:5000/a/b/c:v1',
    '[::1]:5000/app:v1': '[::1]:5000/app:v1',
    'Host/app': 'Host/app:latest',
    [`ghcr.io/a/b:v1@${digest}`]: `ghcr.io/a/b@${digest}`,
    [`busybox@${digest}`]: `docker.io/library/busybox@${digest}`,
  };

  for (const [text, expected] of Object.entries(complete)) assert.equal(formatReference(parseReference(text)), expected, text);
});

test('a digest decides, and a tag beside it is kept for the record', () => {
  const reference = parseReference(`ghcr.io/a/b:v1@${digest}`);

  assert.deepEqual(reference, { host: 'ghcr.io', repository: 'a/b', tag: 'v1', digest });
  assert.equal(repoTagOf(reference), 'ghcr.io/a/b:v1');
  assert.equal(repoDigestOf(reference, digest), `ghcr.io/a/b@${digest}`);
  assert.equal(repoTagOf(parseReference(`ghcr.io/a/b@${digest}`)), undefined);
});

test('what is no reference is refused with the rule that it breaks', () => {
  const refusals: Record<string, RegExp> = {
    '': /a repository is lower-case/,
    BusyBox: /a repository is lower-case/,
    'a//b': /a repository is lower-case/,
    'a/../b': /a repository is lower-case/,
    'ghcr.io/': /a repository is lower-case/,
    '-bad-.io/app': /not a host name/,
    'app:': /a tag is at most/,
    [`app:${'x'.repeat(129)}`]: /a tag is at most/,
    'app@sha256:abc': /after @ it wants/,
    'app@md5:abc': /after @ it wants/,
    'https://ghcr.io/app': /not a host name/,
    'app\n': /a repository is lower-case/,
    [`ghcr.io/${'x'.repeat(260)}`]: /longer than 255/,
  };

  for (const [text, why] of Object.entries(refusals)) {
    assert.throws(() => parseReference(text), (error: Error & { kind?: string }) => error.kind === 'invalid-argument' && why.test(error.message), JSON.stringify(text));
  }
});

test('a name without tag and digest can also be read as the repository that it is', () => {
  assert.deepEqual(parseName('busybox'), { host: 'docker.io', repository: 'library/busybox', tag: undefined, digest: undefined });
  assert.deepEqual(parseName(`ghcr.io/app:v1@${digest}`), { host: 'ghcr.io', repository: 'app', tag: 'v1', digest });
  assert.throws(() => parseName('ghcr.io/App'), /a repository is lower-case/);
});

test('only addresses of this machine are loopback', () => {
  for (const host of ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000']) assert.ok(isLoopback(host), host);
  for (const host of ['127.0.0.1.evil.io', 'localhost.evil.io', '10.0.0.1:5000', '128.0.0.1']) assert.ok(!isLoopback(host), host);
});
