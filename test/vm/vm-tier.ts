/** Test files run inside the virtual machine: cgroup v2, systemd, AppArmor, every capability, whatever this machine has. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repository } from '../../scripts/gates.ts';
import type { Counts } from '../../scripts/test-files.ts';
import { memoryMiB, runInVm } from './boot.ts';
import { debianSources } from './build-image.ts';
import { ensureImage } from './image-cache.ts';
import type { SecurityModule } from './recipe.ts';
import { cutShort, type Progress } from './progress.ts';
import type { Pass } from './selection.ts';

const programs = ['qemu-system-x86_64', 'mmdebstrap', 'mke2fs', 'dpkg-deb', 'xz', 'zstd', 'unshare', 'setpriv', 'flock', 'busybox'];
/** The machine's own, and as much again for the host's tests, its file cache and qemu. */
const neededMiB = memoryMiB + 1024;

/** Emulated, everything takes five to ten times as long. */
const patience = 6;

/** Why this machine cannot run the virtual one; undefined when it can. */
export function whyNoVm(): string | undefined {
  if (process.arch !== 'x64') return `it is made for x86-64, this is ${process.arch}`;
  if (process.getuid?.() !== 0) return 'building its image needs root';
  const missing = programs.filter((program) => !`${process.env.PATH}:/usr/sbin:/sbin`.split(':').some((folder) => existsSync(path.join(folder, program))));
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (sh scripts/setup.sh test)`;
  const availableMiB = Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1024;
  if (availableMiB < neededMiB) return `${Math.round(availableMiB)} MiB of memory are free, it takes ${neededMiB}`;
  if (debianSources() === undefined) return 'its image is made of Debian packages, and apt knows no source of them here';
  return undefined;
}

export interface VmTests {
  readonly passes: readonly Pass[];
  /** What is in the machine's kernel; `apparmor` without it. */
  readonly securityModule?: SecurityModule | undefined;
  /** For the tests; what has not come to its end by then is skipped. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** For what keeps no time inside: booting, ending, and a machine that comes to nothing. */
const graceMs = 3 * 60_000;

/** Runs them in one boot of the machine, prints their lines, and counts. A machine that fails once it has booted is a failed test; one that does not boot, or is too slow, skips them. */
export async function runTestsInVm({ passes, securityModule, seconds, signal, print }: VmTests): Promise<Counts> {
  const image = await ensureImage({ securityModule, signal, print });
  const words = ['node', 'test/vm/guest.ts', '/run/control/progress.json', JSON.stringify(passes), String(seconds)];
  const script = [
    `export PATH="$PWD/node_modules/.bin:$PATH" TEST_PATIENCE=${patience}`,
    `exec ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}`,
  ].join('\n');
  const lines = lineByLine(print);
  const { trouble, late, started, files: brought } = await runInVm({ image, checkout: repository, script, deadlineMs: seconds * 1000 + graceMs, signal, onOutput: lines.add, bring: ['progress.json'] });
  lines.end();
  const progress = progressIn(brought.get('progress.json'));
  if (progress.finished) return progress.counts;
  print(trouble ?? 'the tests ended without saying how many passed');
  // What does not even boot says nothing about Gantry: this computer cannot run it.
  if (!late && (started || signal.aborted)) return { ...progress.counts, failed: progress.counts.failed + 1 };
  const cut = cutShort(passes, progress);
  cut.lines.forEach(print);
  return cut.counts;
}

/** A machine that was ended may not have begun to tell, or only begun. */
function progressIn(text: string | undefined): Progress {
  try {
    return JSON.parse(text ?? '') as Progress;
  } catch {
    return { files: 0, counts: { passed: 0, failed: 0, skipped: 0 }, finished: false };
  }
}

function lineByLine(print: (line: string) => void): { add(text: string): void; end(): void } {
  let rest = '';
  return {
    add(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      lines.forEach((line) => print(line.replace(/\r$/, '')));
    },
    end() {
      if (rest !== '') print(rest);
    },
  };
}
