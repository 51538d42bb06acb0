/** Inside the virtual machine: runs test files as a tier does, looks what they left, and writes the counts for the host. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runFiles } from '../../scripts/test-files.ts';
import { beginOwnRun } from '../support/own-run.ts';

const [countsFile, ...files] = process.argv.slice(2);
if (countsFile === undefined) throw new Error('usage: guest.ts COUNTS-FILE TEST-FILE…');

const own = await beginOwnRun();
process.env.NODE_COMPILE_CACHE = path.join(own.run.dir, 'compiled');
const counts = await runFiles({ files, concurrency: 1, signal: new AbortController().signal, print: (line) => console.log(line) });
const left = await own.leftBehind();
for (const thing of left) console.log(`left behind: ${thing}`);
if (left.length > 0) counts.failed++;
await own.sweep();
writeFileSync(countsFile, JSON.stringify(counts));
process.exit(counts.failed === 0 ? 0 : 1);
