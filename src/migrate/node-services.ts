/** The node itself, asked the way that an administrator would: systemd, /proc, `kubelet --version`. */
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { failure } from '../base/errors.ts';
import { findProgram, systemPath } from '../host/find-program.ts';
import { run } from '../host/spawn.ts';
import type { RunningProgram, Units } from './outside.ts';

/** A stop of the kubelet waits for its calls in flight. */
const unitDeadlineMs = 120_000;

/** Undefined where systemd does not run the node (sd_booted(3)). */
export function systemdUnits(): Units | undefined {
  if (!existsSync('/run/systemd/system')) return undefined;
  const systemctl = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await run('systemctl', words, { deadlineMs: unitDeadlineMs });
    if (code !== 0) throw failure('failed-precondition', { act: words.join(' '), why: stderr.toString().trim().split('\n')[0] || `systemctl ended with ${code}` });
  };
  const change = (verb: 'stop' | 'start' | 'restart') => async (unit: string): Promise<void> => {
    if (verb !== 'stop') await systemctl('daemon-reload'); // a drop-in may have been changed
    await systemctl(verb, unit);
  };
  return {
    has: async (unit) => (await run('systemctl', ['cat', unit], { deadlineMs: 10_000 })).code === 0,
    stop: change('stop'), start: change('start'), restart: change('restart'),
  };
}

/** Running programs of that name, as the kernel has it (15 characters). */
export async function programsNamed(name: string): Promise<RunningProgram[]> {
  const found: RunningProgram[] = [];
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const comm = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (comm.trim() !== name.slice(0, 15)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line !== '') found.push({ pid: Number(pid), words: line.split('\0').slice(1, -1) });
  }
  return found;
}

/** Of `Kubernetes v1.28.3`: 28. Undefined when there is no kubelet that says so. */
export async function kubeletMinor(): Promise<number | undefined> {
  const program = findProgram('kubelet', systemPath);
  if (program === undefined) return undefined;
  const { stdout } = await run(program, ['--version'], { deadlineMs: 10_000 }).catch(() => ({ stdout: Buffer.alloc(0) }));
  const minor = /v1\.(\d+)/.exec(stdout.toString())?.[1];
  return minor === undefined ? undefined : Number(minor);
}
