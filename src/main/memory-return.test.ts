import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../host/spawn.ts';
import { MemoryReturn } from './memory-return.ts';

/** One look: for how many of the ten seconds before it the process was busy, how large it is (MB), and how large after giving back. */
type Look = readonly [busySeconds: number, size: number, after?: number];

/** At which of the looks memory was given back. */
async function givenAt(...looks: readonly Look[]): Promise<number[]> {
  const given: number[] = [];
  let [cpuMs, size] = [0, 0];
  let give = (): void => {};
  const memory = new MemoryReturn({ cpuMs: () => cpuMs, resident: () => size << 20, give: async () => give() });
  for (const [n, [busySeconds, now, after = now]] of looks.entries()) {
    cpuMs += busySeconds * 1000;
    size = now;
    give = () => {
      size = after;
      given.push(n);
    };
    await memory.look(10_000);
  }
  return given;
}

test('free memory is given back when all is quiet after the start, and each time the daemon has grown', async () => {
  assert.deepEqual(await givenAt([6, 130], [0.1, 130, 105], [0.1, 106], [5, 160], [8, 190], [0.9, 190, 107], [0, 107]), [1, 5]);
  assert.deepEqual(await givenAt([0, 130, 105], [0.5, 112], [0.5, 118], [0.5, 122, 106]), [0, 3], 'little by little, without ever being busy');
});

test('a daemon that is busy is left alone, and so is what it needs', async () => {
  assert.deepEqual(await givenAt([3, 130], [1, 200], [7, 300]), []);
  assert.deepEqual(await givenAt([0, 200, 190], [0, 190], [0, 200], [0, 130], [0, 147, 131]), [0, 4]);
});

test('what a burst took from the C library goes back to the node', async () => {
  const script = `
    import { libc } from '${new URL('../host/libc.ts', import.meta.url).href}';
    const pieces = Array.from({ length: 3000 }, () => Buffer.alloc(24 << 10, 1));
    const pins = pieces.filter((_, n) => n % 50 === 0); // keep the heap from shrinking by itself
    pieces.length = 0;
    gc();
    const before = process.memoryUsage.rss();
    const returned = () => before - process.memoryUsage.rss();
    for (let n = 0; n < 200 && returned() < 20 << 20; n++) { // V8 frees buffers on a thread of its own
      await libc.mallocTrimAside();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    console.log(returned(), pins.length);
  `;

  const { stdout, stderr } = await run(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], { cwd: import.meta.dirname, deadlineMs: 60_000 });

  const [returned] = stdout.toString().split(' ');
  assert.ok(Number(returned) > 20 << 20, `${stdout}${stderr}`);
});
