/**
 * `npm test`: the gates, then every tier of tests that this machine can run, then a look whether anything was left behind.
 * `--only unit|root|node|vm` runs one tier without the gates. RUNTIME=crun|runc|runsc chooses the OCI runtime of the tiers that use one;
 * without it the node tier runs with every one that is installed. SKIP_VM=1 leaves out the virtual machine of the vm tier;
 * `--only vm --selinux` boots one with SELinux instead, for the tests that want it.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { beginOwnRun, type OwnRun } from '../test/support/own-run.ts';
import { selection, selinuxSelection } from '../test/vm/selection.ts';
import { PackagesUnavailable } from '../test/vm/build-image.ts';
import { runTestsInVm, whyNoVm, type VmTests } from '../test/vm/vm-tier.ts';
import { gateLine, runGates } from './gates.ts';
import { filesOf, runFiles, type Counts, type TierName } from './test-files.ts';

const deadlineMs = 25 * 60_000;
/** Files share nothing but the machine, and wait for programs most of the time. */
const filesAtOnce = 2;
/** A second OCI runtime is tried when the first one's tests took no longer than this. */
const cheapMs = 8 * 60_000;

/** How long tests may run in the virtual machine, and what it takes besides: building its image once, booting, ending. */
const vmSeconds = 7 * 60;
const besideVmSeconds = 4 * 60;
const tooFewVmSeconds = 60;

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const began = Date.now();

function print(line: string): void {
  console.log(line);
}

function add(counts: Counts): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

async function gates(signal: AbortSignal): Promise<void> {
  print('--- gates');
  const results = await runGates((result) => print(gateLine(result)), signal);
  const passed = results.filter((result) => result.passed).length;
  add({ passed, failed: results.length - passed, skipped: 0 });
}

async function tier(name: TierName, signal: AbortSignal, title: string = name): Promise<void> {
  const files = filesOf(name);
  const reason = name === 'unit' ? undefined : whyNot(name);
  print(`--- ${title}: ${files.length} files`);
  if (reason === undefined) return add(await runFiles({ files, concurrency: filesAtOnce, signal, print }));
  print(`skipped: ${reason}`);
  add({ passed: 0, failed: 0, skipped: files.length });
}

/** What this machine lacks for a tier above unit, as a reason to skip it. */
function whyNot(name: TierName): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: run it as root, or with sudo';
  if (!existsSync('/proc/self/ns/net')) return 'this kernel has no network namespaces';
  if (!readFileSync('/proc/filesystems', 'utf8').includes('\toverlay')) return 'this kernel has no overlay filesystem (modprobe overlay)';
  const programs = [process.env.RUNTIME ?? 'crun', 'conmon', 'iptables', ...(name === 'node' ? ['docker-registry', 'busybox'] : [])];
  const missing = programs.filter((program) => !installed(program));
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')} (npm run setup)`;
}

function installed(program: string): boolean {
  return `${process.env.PATH}:/usr/sbin:/sbin`.split(':').some((dir) => existsSync(path.join(dir, program)));
}

/** The node tier with the runtime that RUNTIME names, or with each that is installed as long as that is cheap. */
async function nodeTier(signal: AbortSignal): Promise<void> {
  if (process.env.RUNTIME !== undefined) return tier('node', signal, `node, ${process.env.RUNTIME}`);
  const start = Date.now();
  for (const runtime of ['crun', 'runc'].filter(installed)) {
    if (signal.aborted) break;
    if (Date.now() - start > cheapMs) {
      print(`--- node, ${runtime}\nskipped: the first runtime took long; RUNTIME=${runtime} npm run node does it`);
      continue;
    }
    process.env.RUNTIME = runtime;
    await tier('node', signal, `node, ${runtime}`);
  }
  delete process.env.RUNTIME;
}

/** The tests that a machine with cgroup v2 and systemd answers otherwise, in a virtual one; emulated, it takes its time. */
async function vmTier(signal: AbortSignal, tests: Pick<VmTests, 'passes' | 'securityModule'> = { passes: selection }): Promise<void> {
  const skipped = tests.passes.flatMap(({ files }) => files).length;
  print(`--- vm: ${skipped} files`);
  const secondsLeft = (began + deadlineMs - Date.now()) / 1000 - besideVmSeconds;
  const late = secondsLeft < tooFewVmSeconds ? 'the tests before took long; npm run vm does it' : undefined;
  const reason = (process.env.SKIP_VM ?? '') === '' ? whyNoVm() ?? late : 'SKIP_VM is set';
  if (reason === undefined) return add(await runTestsInVm({ ...tests, seconds: Math.min(vmSeconds, secondsLeft), signal, print }).catch((error: Error) => vmFailed(error, skipped)));
  print(`skipped: ${reason}`);
  add({ passed: 0, failed: 0, skipped });
}

/** Also when it was interrupted, or when its image could not be built; only for want of packages is it no fault of ours. */
function vmFailed(error: Error, skipped: number): Counts {
  if (error instanceof PackagesUnavailable) {
    print(`skipped: ${error.message}`);
    return { passed: 0, failed: 0, skipped };
  }
  print(`FAILED the virtual machine: ${error.message}`);
  return { passed: 0, failed: 1, skipped: 0 };
}

async function checkNothingIsLeft(own: OwnRun): Promise<void> {
  const left = await own.leftBehind();
  print(`--- left behind: ${left.length === 0 ? 'nothing' : `${left.length} things`}`);
  for (const thing of left) print(`  ${thing}`);
  add(left.length === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 });
}

const tiers: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>> = {
  unit: (signal) => tier('unit', signal),
  root: (signal) => tier('root', signal),
  node: nodeTier,
  vm: (signal) => vmTier(signal),
};

interface Wishes {
  readonly only: string | undefined;
  readonly selinux: boolean;
}

async function suite({ only, selinux }: Wishes, signal: AbortSignal): Promise<void> {
  if (selinux) return vmTier(signal, { passes: selinuxSelection, securityModule: 'selinux' });
  if (only === undefined) await gates(signal);
  for (const [name, run] of Object.entries(tiers)) {
    if (!signal.aborted && (only === undefined || only === name)) await run(signal);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, selinux: { type: 'boolean', default: false } } });
  const { only, selinux } = values;
  if (only !== undefined && tiers[only] === undefined) throw new Error(`--only ${only}: there is ${Object.keys(tiers).join(', ')}`);
  if (selinux && only !== 'vm') throw new Error('--selinux is for the vm tier: npm run vm -- --selinux');

  const own = await beginOwnRun();
  for (const mark of own.removed) print(`removed what the killed run ${mark} had left`);
  process.env.NODE_COMPILE_CACHE = path.join(own.run.dir, 'compiled');
  const interrupted = new AbortController();
  let reason: string | undefined;
  const interrupt = (why: string): void => {
    if (reason !== undefined) return;
    reason = why;
    print(`${why}: ending everything that was started`);
    interrupted.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));
  setTimeout(() => interrupt(`not finished after ${deadlineMs / 60_000} minutes`), deadlineMs).unref();

  try {
    await suite({ only, selinux }, interrupted.signal);
    if (reason === undefined) await checkNothingIsLeft(own);
  } finally {
    await own.sweep();
  }
  if (reason !== undefined && total.failed === 0) total.failed = 1;
  print(`took ${((Date.now() - began) / 1000).toFixed(0)} s`);
  print(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exit(total.failed === 0 ? 0 : 1);
}

await main();
