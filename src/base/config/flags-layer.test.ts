import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine, readFlags } from './flags-layer.ts';

test('a value follows its flag, as a word or behind =', () => {
  const line = parseCommandLine(['--root', '/a/b', '--log-level=debug', '--config=/c=d', 'operand']);

  assert.deepEqual(line.problems, []);
  assert.deepEqual(line.operands, ['operand']);
  assert.equal(line.configFile, '/c=d');
  assert.deepEqual([...line.flags], [['--root', ['/a/b']], ['--log-level', ['debug']]]);
});

test('a flag that does not exist is named, with what was meant', () => {
  const { problems } = parseCommandLine(['--log-levle', 'debug', '-x', '--zzzzzz=1']);

  assert.deepEqual(problems, ['unknown flag --log-levle: did you mean --log-level?', 'unknown flag -x', 'unknown flag --zzzzzz']);
});

test('a flag without its value is a problem, also before another flag', () => {
  assert.deepEqual(parseCommandLine(['--root', '--state', '/s/s']).problems, ['--root needs a value']);
  assert.deepEqual(parseCommandLine(['--root']).problems, ['--root needs a value']);
});

test('--help is seen anywhere but behind --', () => {
  assert.equal(parseCommandLine(['--root', '/a/b', '-h']).help, true);
  assert.equal(parseCommandLine(['--', '--help']).help, false);
  assert.deepEqual(parseCommandLine(['--', '--help']).operands, ['--help']);
});

test('a repeated flag adds to a list, and otherwise its last text counts', () => {
  const { flags } = parseCommandLine(['--cni-bin-dir', '/a,/b', '--cni-bin-dir', '/c', '--root', '/x/x', '--root', '/y/y']);

  const { entries, problems } = readFlags(flags);

  assert.deepEqual(problems, []);
  assert.deepEqual(entries.get('cni.bin_dirs'), { value: ['/a', '/b', '/c'], origin: 'flag --cni-bin-dir' });
  assert.deepEqual(entries.get('root'), { value: '/y/y', origin: 'flag --root' });
});
