/** `npm run ok`: everything that can be checked in under a minute without root. */
import { gateLine, runGates } from './gates.ts';
import { filesOf, runFiles } from './test-files.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const gates = await runGates((result) => console.log(gateLine(result)), interrupted.signal);
const unit = await runFiles({ files: filesOf('unit'), concurrency: 2, signal: interrupted.signal, print: (line) => console.log(line) });

const passed = gates.filter((gate) => gate.passed).length + unit.passed;
const failed = gates.filter((gate) => !gate.passed).length + unit.failed;
console.log(`${passed} passed, ${failed} failed, ${unit.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
