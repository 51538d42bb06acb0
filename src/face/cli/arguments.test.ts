import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseArguments, UsageError, type Syntax } from './arguments.ts';

const syntax: Syntax = {
  flags: [
    { name: 'all', short: 'a', help: '' },
    { name: 'quiet', short: 'q', help: '' },
    { name: 'output', short: 'o', value: 'FORMAT', choices: ['table', 'json'], help: '' },
    { name: 'tail', short: 'n', value: 'N', help: '' },
    { name: 'timeout', value: 'DURATION', help: '' },
  ],
  operands: ['NAME'],
  many: true,
};

const refusal = (argv: string[], one: Syntax = syntax) => {
  try {
    parseArguments(argv, one);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  return assert.fail('was accepted');
};

test('flags are understood in every usual spelling, before and behind operands', () => {
  for (const argv of [['-aq', '-ojson', 'x'], ['x', '-a', '-q', '-o', 'json'], ['--all', '--quiet', '--output=json', 'x'], ['--output', 'json', 'x', '-qa']]) {
    const args = parseArguments(argv, syntax);

    assert.ok(args.on('all') && args.on('quiet'), argv.join(' '));
    assert.equal(args.text('output'), 'json');
    assert.deepEqual(args.operands, ['x']);
  }
});

test('what follows -- is an operand, and so is a lone -', () => {
  assert.deepEqual(parseArguments(['-', '--', '-a', '--all'], syntax).operands, ['-', '-a', '--all']);
});

test('with flagsFirst, what follows the first operand is left alone', () => {
  const args = parseArguments(['-q', 'web', 'sh', '-c', 'exit 3', '--all'], { ...syntax, flagsFirst: true });

  assert.deepEqual(args.operands, ['web', 'sh', '-c', 'exit 3', '--all']);
  assert.equal(args.on('all'), false);
});

test('a wrong word is named', () => {
  assert.equal(refusal(['--foo', 'x']), 'unknown flag --foo');
  assert.equal(refusal(['--timout', '1', 'x']), 'unknown flag --timout: did you mean timeout?');
  assert.equal(refusal(['-az', 'x']), 'unknown flag -z in -az');
  assert.equal(refusal(['-o', 'yaml', 'x']), '-o is one of table, json, not "yaml"');
  assert.equal(refusal(['--all=1', 'x']), '--all takes no value');
  assert.equal(refusal(['x', '--tail']), '--tail wants a value: --tail N');
  assert.equal(refusal([]), 'NAME is missing');
  assert.equal(refusal(['a', 'b'], { ...syntax, many: false }), 'one word too many: "b"');
});

test('numbers and durations are checked when they are asked for', () => {
  const args = parseArguments(['--tail', '12', '--timeout', '1m30s', 'x'], syntax);
  const wrong = parseArguments(['--tail', '-1', '--timeout', 'soon', 'x'], syntax);

  assert.equal(args.whole('tail'), 12);
  assert.equal(args.durationMs('timeout'), 90_000);
  assert.throws(() => wrong.whole('tail'), /--tail wants a whole number, not "-1"/);
  assert.throws(() => wrong.durationMs('timeout'), /--timeout wants a duration such as 30s or 1h30m, not "soon"/);
});
