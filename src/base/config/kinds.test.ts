import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, integer, ipAddress, oneOf, optionalPath, optionalSocketPath, ownFolder, path, paths, pathsOrNone, size, socketPath, truth } from './kinds.ts';
import type { Kind } from './kinds.ts';

/** What a kind makes of the text of a flag. */
function ofText<T>(kind: Kind<T>, text: string): T | undefined {
  return kind.read(kind.fromText(text));
}

test('a duration is numbers with units, added up, in milliseconds', () => {
  const kind = duration(0, 86_400_000);

  assert.equal(kind.read('30s'), 30_000);
  assert.equal(kind.read('1m30s'), 90_000);
  assert.equal(kind.read('1h 2m'), 3_720_000);
  assert.equal(kind.read('500ms'), 500);
  assert.equal(kind.read('1.5s'), 1500);
});

test('a duration without a unit, with a strange one, or out of bounds is refused', () => {
  const kind = duration(1000, 60_000);

  for (const raw of ['30', 30, '', 's', '30 parsecs', '30s!', '-30s', '1..5s', '999ms', '61s', null]) {
    assert.equal(kind.read(raw), undefined, JSON.stringify(raw));
  }
  assert.equal(kind.wanted, 'a duration such as "30s", from 1s to 1m');
});

test('a long wrong duration is refused at once', () => {
  const began = performance.now();

  assert.equal(duration(0, 1).read(`${'1 s '.repeat(20_000)}!`), undefined);
  assert.ok(performance.now() - began < 1000);
});

test('a truth is true or false and nothing else', () => {
  assert.deepEqual([truth.read(true), truth.read(false), ofText(truth, 'true'), ofText(truth, 'false')], [true, false, true, false]);
  for (const text of ['yes', '1', '', 'TRUE']) assert.equal(ofText(truth, text), undefined);
  assert.equal(truth.read('true'), undefined);
  assert.equal(truth.write(false), 'false');
});

test('a size is a number of bytes or has a unit', () => {
  const kind = size(1, 2 ** 30);

  assert.equal(kind.read('16MiB'), 16 << 20);
  assert.equal(kind.read('16 MiB'), 16 << 20);
  assert.equal(kind.read(4096), 4096);
  assert.equal(ofText(kind, '4096'), 4096);
  assert.equal(kind.read('16MB'), undefined);
  assert.equal(kind.write(1536), '"1536B"');
  assert.equal(kind.write(16 << 20), '"16MiB"');
});

test('a path is absolute and loses what is redundant in it', () => {
  assert.equal(path.read('/a//b/../c/'), '/a/c');
  assert.equal(path.read('/'), '/');
  assert.equal(path.read('a/b'), undefined);
  assert.equal(path.read('/a\0b'), undefined);
});

test('a folder that every program shares is not one that the daemon may own', () => {
  for (const shared of ['/', '/var', '/tmp/', '/var/..', '/x/../tmp']) assert.equal(ownFolder.read(shared), undefined, shared);
  assert.equal(ownFolder.read('/var/lib/gantry'), '/var/lib/gantry');
});

test('a socket path that the kernel would cut off is refused', () => {
  assert.equal(socketPath.read(`/${'a'.repeat(106)}`)?.length, 107);
  assert.equal(socketPath.read(`/${'a'.repeat(107)}`), undefined);
  assert.deepEqual([optionalSocketPath.read(''), optionalSocketPath.read('/run/d.sock'), optionalSocketPath.read('d.sock'), optionalSocketPath.read(`/${'a'.repeat(107)}`)], ['', '/run/d.sock', undefined, undefined]);
  assert.equal(socketPath.read(`/${'ä'.repeat(60)}`), undefined);
});

test('paths are a list in TOML and separated by commas elsewhere', () => {
  assert.deepEqual(paths.read(['/a/', '/b']), ['/a', '/b']);
  assert.deepEqual(ofText(paths, '/a, /b,'), ['/a', '/b']);
  for (const raw of [[], '/a', ['/a', 'b'], ['/a', 1]]) assert.equal(paths.read(raw), undefined);
});

test('paths that may be none are none when the list or the text is empty', () => {
  assert.deepEqual(pathsOrNone.read([]), []);
  assert.deepEqual(ofText(pathsOrNone, ''), []);
  assert.deepEqual(ofText(pathsOrNone, '/a,/b'), ['/a', '/b']);
  for (const raw of ['/a', ['b']]) assert.equal(pathsOrNone.read(raw), undefined);
});

test('an integer keeps its bounds', () => {
  const kind = integer(1, 32);

  assert.equal(ofText(kind, '32'), 32);
  for (const raw of [0, 33, 1.5, '3', Number.NaN]) assert.equal(kind.read(raw), undefined);
  assert.equal(ofText(kind, '3x'), undefined);
});

test('a choice says what there is', () => {
  const kind = oneOf(['auto', 'json', 'pretty']);

  assert.equal(kind.read('json'), 'json');
  assert.equal(kind.read('JSON'), undefined);
  assert.equal(kind.wanted, 'auto, json or pretty');
});

test('truth is a boolean of TOML, or the word in a variable', () => {
  assert.equal(truth.read(true), true);
  assert.equal(ofText(truth, 'false'), false);
  for (const wrong of ['true', 1, null]) assert.equal(truth.read(wrong), undefined);
  assert.equal(ofText(truth, 'yes'), undefined);
});

test('an optional path may be empty', () => {
  assert.equal(optionalPath.read(''), '');
  assert.equal(optionalPath.read('/a//b/'), '/a/b');
  assert.equal(optionalPath.read('a'), undefined);
});

test('nothing is written in the smallest unit', () => {
  assert.equal(size(0, 2 ** 30).write(0), '"0B"');
});

test('an address is one in numbers', () => {
  for (const address of ['127.0.0.1', '0.0.0.0', '::1', 'fe80::1']) assert.equal(ipAddress.read(address), address);
  for (const raw of ['localhost', '127.0.0.1:80', '127.1', '[::1]', '', 1]) assert.equal(ipAddress.read(raw), undefined, String(raw));
});
