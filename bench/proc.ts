/** Memory and processor time of processes, as the kernel counts them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Proportional set size of these processes together, in bytes: memory that several of them share counts once. A process
 * that ends meanwhile counts as nothing.
 */
export function pssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + kibibytes(read(`/proc/${pid}/smaps_rollup`), 'Pss') * 1024, 0);
}

/** Processor time that these processes have used so far, in milliseconds. */
export function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const [user = '0', system = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13);
    return sum + (Number(user) + Number(system)) * 10; // clock ticks are 10 ms on every Linux we know
  }, 0);
}

/** Begins a new reckoning for `peakOf` (proc(5), clear_refs). */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The largest resident memory of each process since `resetPeak`, together, in bytes. */
export function peakOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + kibibytes(read(`/proc/${pid}/status`), 'VmHWM') * 1024, 0);
}

function kibibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Resident memory now, in bytes; 0 of a process that has ended. */
export function residentOf(pid: number): number {
  return kibibytes(read(`/proc/${pid}/status`), 'VmRSS') * 1024;
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
