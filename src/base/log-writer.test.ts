import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from './errors.ts';
import { createLogWriter, streamSink } from './log-writer.ts';
import type { LogSettings } from './log-writer.ts';

const noon = new Date('2026-11-22T12:00:00.123Z');
const json: LogSettings = { level: 'info', format: 'json', colour: false };
const pretty: LogSettings = { level: 'info', format: 'pretty', colour: false };

/** A writer whose lines are kept. */
function written(settings: LogSettings) {
  const lines: string[] = [];
  const writer = createLogWriter((line) => lines.push(line), settings, () => noon);
  return { ...writer, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a record is one JSON object on one line', () => {
  const { log, lines } = written(json);

  log.info('pulled\nimage', { image: 'a:b', bytes: 12n, layers: [{ size: 1n }], none: undefined });

  assert.equal(lines.join(''), '{"time":"2026-11-22T12:00:00.123Z","level":"info","msg":"pulled\\nimage","image":"a:b","bytes":"12","layers":[{"size":"1"}]}\n');
});

test('fields of `with` are in every record, and those of the record win', () => {
  const { log, records } = written(json);

  log.with({ call: 'a', pod: 'x' }).with({ pod: 'y' }).warn('m', { call: 'b' });

  assert.deepEqual(records(), [{ time: noon.toISOString(), level: 'warn', msg: 'm', call: 'b', pod: 'y' }]);
});

test('a field cannot replace time, level or message', () => {
  const { log, records } = written(json);

  log.info('real', { msg: 'forged', level: 'error', time: 'never' });

  assert.deepEqual(records(), [{ time: noon.toISOString(), level: 'info', msg: 'real', msg_: 'forged', level_: 'error', time_: 'never' }]);
});

test('the level can be changed while loggers are in use', () => {
  const { log, set, records } = written(json);
  const child = log.with({ call: 'a' });

  child.debug('unseen');
  set({ ...json, level: 'debug' });
  child.debug('seen');
  set({ ...json, level: 'error' });
  child.warn('unseen again');

  assert.deepEqual(records().map(({ msg }) => msg), ['seen']);
});

test('an error is told with its kind and its whole chain, and its stack only at debug', () => {
  const cause = new Error('connect ECONNREFUSED', { cause: 'socket' });
  const error = failure('unavailable', { act: 'pull image', object: 'a:b', why: 'registry does not answer', cause });
  const { log, set, records } = written(json);

  log.error('call failed', { error });
  set({ ...json, level: 'debug' });
  log.error('call failed', { error });

  const [terse, long] = records().map((record) => record['error'] as Record<string, string>);
  assert.deepEqual(terse, { kind: 'unavailable', message: 'pull image a:b: registry does not answer: connect ECONNREFUSED: socket' });
  assert.match(long?.['stack'] ?? '', /GantryError: pull image[^]*\n {4}at [^]*caused by Error: connect ECONNREFUSED/);
});

test('values that JSON cannot hold do not break the record', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const endless = new Error('endless');
  endless.cause = endless;
  const { log, records } = written(json);

  log.info('odd', { cycle, endless, long: 'x'.repeat(20_000), nan: Number.NaN, fn: () => 1 });

  const [record] = records();
  assert.match(String(record?.['cycle']), /Circular/);
  assert.deepEqual(record?.['endless'], { kind: 'internal', message: 'endless' });
  assert.match(String(record?.['long']), /^x{16384}… \(20000 characters\)$/);
});

test('the pretty form is for people, without colour unless it is asked for', () => {
  const { log, lines, set } = written(pretty);

  log.warn('pod stopped', { pod: 'default/web', why: 'no space left', error: failure('not-found', { act: 'find pod', object: 'x' }) });
  set({ ...pretty, colour: true });
  log.warn('pod stopped');

  assert.match(lines[0]!, /^\d\d:\d\d:\d\d\.123 WARN {2}pod stopped pod=default\/web why="no space left" error="find pod x" \(not-found\)\n$/);
  assert.ok(lines[1]!.includes('\x1b[33mWARN'));
});

test('a name that somebody chose can neither paint the terminal nor forge a line or a field', () => {
  const { log, lines } = written(pretty);

  log.info('image \x1b[2J\nINFO  forged', { name: 'a\x1b[31m\nb', other: 'x pod=forged', c1: '\x9b31m' });

  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /image \\u001b\[2J\\u000aINFO {2}forged name="a\\u001b\[31m\\nb" other="x pod=forged" c1="\\u009b31m"\n$/);
});

/** A stream whose reader is as slow as the test wants. */
function slowStream() {
  const texts: string[] = [];
  return { texts, writableLength: 0, write: (text: string) => texts.push(text) > 0, on: () => undefined };
}

test('records are dropped and counted while nobody reads, and the log says so after', () => {
  const stream = slowStream();
  const sink = streamSink(stream);

  sink('first\n');
  stream.writableLength = 2 << 20;
  sink('second\n');
  sink('third\n');
  stream.writableLength = 0;
  sink('fourth\n');

  assert.equal(stream.texts[0], 'first\n');
  assert.match(stream.texts[1]!, /"level":"warn","msg":"log records dropped: nobody read them","dropped":2}\nfourth\n$/);
  assert.equal(stream.texts.length, 2);
});
