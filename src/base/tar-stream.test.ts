import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileOf, tarStream } from './tar-stream.ts';
import type { TarFile } from './tar-stream.ts';

async function written(files: TarFile[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of tarStream(files)) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('tar reads what was written', async () => {
  const tar = await written([fileOf('a.json', Buffer.from('hello')), fileOf('blobs/sha256/b', Buffer.alloc(512, 'x')), fileOf('empty', Buffer.alloc(0))]);

  assert.equal(execFileSync('tar', ['-tvf', '-', '--utc', '--numeric-owner'], { input: tar, encoding: 'utf8' }).replaceAll(/ +/g, ' '),
    '-rw-r--r-- 0/0 5 1970-01-01 00:00 a.json\n-rw-r--r-- 0/0 512 1970-01-01 00:00 blobs/sha256/b\n-rw-r--r-- 0/0 0 1970-01-01 00:00 empty\n');
  assert.equal(execFileSync('tar', ['-xOf', '-', 'a.json'], { input: tar, encoding: 'utf8' }), 'hello');
});

test('a file of more than eight gigabytes has its size in base 256', async () => {
  const first = await tarStream([{ name: 'large', size: 9 * 2 ** 30, read: () => [] }]).next();
  const listed = execFileSync('sh', ['-c', 'tar -tvf - 2>/dev/null || true'], { input: Buffer.concat([first.value as Buffer, Buffer.alloc(1024)]), encoding: 'utf8' });
  assert.match(listed, / 9663676416 .* large/);
});

test('a file that is not as long as was said ends the archive', async () => {
  for (const size of [4, 6]) await assert.rejects(written([{ name: 'a', size, read: () => [Buffer.from('hello')] }]), { kind: 'internal', message: `write image archive a: it has not the ${size} bytes that were announced` });
});
