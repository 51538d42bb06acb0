import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stages } from './stage.ts';

const { signal: never } = new AbortController();

/** A stream that remembers what it was given, and is a terminal or not. */
function output(isTTY: boolean): { stream: NodeJS.WriteStream; written(): string } {
  const stream = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.WriteStream;
  return { stream, written: () => String((stream as unknown as PassThrough).read() ?? '') };
}

test('a step is named before it is done, and timed after', async () => {
  const { stream, written } = output(false);
  const stage = stages(stream, never, {});

  const result = await stage.run('Pull the image', async () => {
    assert.equal(written(), 'Pull the image … ');
    return 7;
  });

  assert.equal(result, 7);
  assert.match(written(), /^done \d+ ms\n$/);
  assert.match(stage.summary(), /^Pull the image +\d+ ms$/);
});

test('a step that fails says so and is not in the summary of what was done', async () => {
  const { stream, written } = output(false);
  const stage = stages(stream, never, {});
  await stage.run('One', () => Promise.resolve());

  await assert.rejects(stage.run('Two', () => Promise.reject(new Error('no'))), /no/);

  assert.match(written(), /Two … failed \d+ ms\n$/);
  assert.doesNotMatch(stage.summary(), /Two/);
});

test('after an interruption no step begins', async () => {
  const { stream, written } = output(false);
  const stage = stages(stream, AbortSignal.abort(new Error('interrupted')), {});

  await assert.rejects(stage.run('One', () => Promise.reject(new Error('began'))), /interrupted/);

  assert.equal(written(), '');
});

test('colours are for terminals only, and not for those who want none', async () => {
  for (const [isTTY, env, coloured] of [[true, {}, true], [false, {}, false], [true, { NO_COLOR: '1' }, false]] as const) {
    const { stream, written } = output(isTTY);
    await stages(stream, never, env).run('Step', () => Promise.resolve());
    assert.equal(written().includes('\u001b['), coloured);
  }
});
