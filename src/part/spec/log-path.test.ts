import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../../base/errors.ts';
import { logPathOf } from './log-path.ts';

test('a log lies in the pod\'s log directory', () => {
  assert.equal(logPathOf({ logDirectory: '/var/log/pods/p' }, { logPath: 'web/0.log' }), '/var/log/pods/p/web/0.log');
});

test('without a directory or a path there is no log', () => {
  assert.equal(logPathOf({ logDirectory: '' }, { logPath: 'web/0.log' }), '');
  assert.equal(logPathOf({ logDirectory: '/var/log/pods/p' }, { logPath: '' }), '');
});

test('a log path that names no file, or one too long for the kernel, is refused', () => {
  const attempt = (logPath: string) => () => logPathOf({ logDirectory: '/var/log/pods/p' }, { logPath });

  assert.throws(attempt('web/'), { kind: 'invalid-argument', message: 'check config.log_path: "web/" is a directory, not a file' });
  assert.throws(attempt('a:b'), { message: 'check config.log_path: "a:b" has a colon, which conmon cannot take in a log path' });
  assert.throws(() => logPathOf({ logDirectory: '/a:b' }, { logPath: '0.log' }), { message: 'check sandbox_config.log_directory: "/a:b" has a colon, which conmon cannot take in a log path' });
  assert.throws(attempt('web/.'), { message: 'check config.log_path: "web/." is a directory, not a file' });
  assert.throws(attempt('x'.repeat(256)), { message: /check config\.log_path: ".*" has a name of more than 255 bytes/ });
  assert.throws(attempt('x/'.repeat(2100) + '0.log'), { message: /check config\.log_path: ".*" has more than 4095 bytes/ });
});

test('CVE-2025-0750: a log path never leaves the pod\'s log directory', () => {
  for (const logPath of ['../other/0.log', 'a/../../b', '/etc/passwd', 'a\0b']) {
    assert.throws(() => logPathOf({ logDirectory: '/var/log/pods/p' }, { logPath }), (error) => isKind(error, 'invalid-argument') && /config\.log_path/.test(String(error)), JSON.stringify(logPath));
  }
});
