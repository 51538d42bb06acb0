/**
 * Work that was left behind at its deadline because nothing ends it from outside: a system call on a dead file system, a program that SIGKILL
 * does not reach. It is the process's, as the kernel's threads are; the verbose status counts it, and the log names each.
 */
import { performance } from 'node:perf_hooks';

export interface Abandoned {
  /** What was attempted, as in errors. */
  readonly act: string;
  /** The path, or the program. */
  readonly object: string;
}

interface Left extends Abandoned {
  readonly since: number;
}

const still = new Set<Left>();
const listeners = new Set<(what: Abandoned) => void>();
let total = 0;

/** Most that `abandonedWork` names. */
const mostNamed = 20;

/** Counts work as left behind until `over` settles, whichever way. */
export function abandon(what: Abandoned, over: Promise<unknown>): void {
  const left = { ...what, since: performance.now() };
  total++;
  still.add(left);
  for (const tell of listeners) tell(what);
  const back = (): void => void still.delete(left);
  over.then(back, back);
}

/** Told of each piece of work at the moment that it is left behind, until the returned function is called. */
export function onAbandoned(tell: (what: Abandoned) => void): () => void {
  listeners.add(tell);
  return () => void listeners.delete(tell);
}

/** What is left behind and has not come back (`now`, of which the oldest 20 are named), and how much there was since the process began. */
export function abandonedWork(): { now: number; total: number; oldest: (Abandoned & { forSeconds: number })[] } {
  const oldest = [...still].slice(0, mostNamed).map(({ since, ...what }) => ({ ...what, forSeconds: Math.round((performance.now() - since) / 1000) }));
  return { now: still.size, total, oldest };
}
