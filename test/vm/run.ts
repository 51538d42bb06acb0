/**
 * Runs something in the tests' virtual machine by hand (root):
 *
 *   node test/vm/run.ts [--runtime runc] [--cgroup-driver cgroupfs] [--minutes 10] [--tests 'part of a name'] test/node/stats.test.ts …
 *   node test/vm/run.ts --selinux [--runtime runc] test/node/selinux.test.ts
 *   node test/vm/run.ts --command 'systemctl status; cat /proc/self/cgroup'
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runInVm } from './boot.ts';
import { ensureImage } from './image-cache.ts';
import { runTestsInVm, whyNoVm } from './vm-tier.ts';

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string', default: 'crun' },
    'cgroup-driver': { type: 'string', default: 'systemd' },
    tests: { type: 'string' },
    command: { type: 'string' },
    selinux: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
  },
});
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
const { signal } = interrupted;
const securityModule = values.selinux ? 'selinux' : 'apparmor';
const deadlineMs = Number(values.minutes) * 60_000;
const print = (line: string): void => console.log(line);

const reason = whyNoVm();
if (reason !== undefined) throw new Error(`no virtual machine here: ${reason}`);
if (values.command !== undefined) {
  const image = await ensureImage({ securityModule, signal, print });
  const { exitCode, trouble } = await runInVm({ image, checkout: path.join(import.meta.dirname, '../..'), script: values.command, deadlineMs, signal, bring: [], onOutput: (text) => process.stdout.write(text) });
  if (trouble !== undefined) console.error(trouble);
  process.exitCode = exitCode ?? 1;
} else {
  const passes = [{ runtime: values.runtime, cgroupDriver: values['cgroup-driver'], files, tellsEach: true, ...(values.tests === undefined ? {} : { tests: values.tests }) }];
  const counts = await runTestsInVm({ passes, securityModule, seconds: deadlineMs / 1000, signal, print });
  print(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
}
