/**
 * Fault points: places at which a daemon that was asked to breaks on purpose, so that tests (and whoever doubts us) can kill it between
 * any two steps. Nothing is asked and nothing costs anything until `armFaults` was called.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultAction, FaultRule } from './fault-plan.ts';
import { matchesStars } from './star-pattern.ts';

/** Says what is about to happen. A kill is quicker than the log. */
type Tell = (act: string, point: string) => void;

interface Armed {
  readonly rules: { readonly rule: FaultRule; passages: number }[];
  readonly tell: Tell;
  starting: boolean;
}

let armed: Armed | undefined;

/** From now on points break as the rules say: first those for the start, after `faultsStarted` the others. */
export function armFaults(rules: readonly FaultRule[], tell: Tell): void {
  armed = { rules: rules.map((rule) => ({ rule, passages: 0 })), tell, starting: true };
}

/** The start is over. */
export function faultsStarted(): void {
  if (armed !== undefined) armed.starting = false;
}

/** Nothing breaks any more. For tests. */
export function disarmFaults(): void {
  armed = undefined;
}

/** Does `work` with a fault point before and one after it. `torn` is what it leaves when it is cut short. */
export async function atPoint<T>(point: string, work: () => Promise<T> | T, torn?: () => Promise<void>): Promise<T> {
  if (armed === undefined) return await work();
  for (const action of due(armed, 'before', point)) {
    if (action.do === 'torn') await torn?.();
    await breakNow(action, 'before', point);
  }
  const result = await work();
  for (const action of due(armed, 'after', point)) await breakNow(action, 'after', point);
  return result;
}

/** The same for work that keeps the whole process waiting. */
export function atPointNow<T>(point: string, work: () => T): T {
  if (armed === undefined) return work();
  for (const action of due(armed, 'before', point)) breakWaiting(action, 'before', point);
  const result = work();
  for (const action of due(armed, 'after', point)) breakWaiting(action, 'after', point);
  return result;
}

/** What is to happen at this passage. */
function due({ rules, tell, starting }: Armed, when: FaultRule['when'], point: string): FaultAction[] {
  const hits = rules.filter(({ rule }) => rule.atStart === starting && rule.when === when && matchesStars(rule.point, point));
  for (const hit of hits) hit.passages++;
  const actions = hits.filter(({ rule, passages }) => rule.passage === undefined || rule.passage === passages).map(({ rule }) => rule.action);
  for (const action of actions) if (action.do !== 'trace') tell(action.do, `${when} ${point}`);
  return actions;
}

async function breakNow(action: FaultAction, when: string, point: string): Promise<void> {
  if (action.do === 'hang') await new Promise<never>(() => {});
  else if (action.do === 'delay') await sleep(action.ms);
  else breakWaiting(action, when, point);
}

function breakWaiting(action: FaultAction, when: string, point: string): void {
  switch (action.do) {
    case 'trace': return appendFileSync(action.file, `${point}\n`);
    case 'delay': return void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
    case 'error': throw Object.assign(new Error(`${action.code}: asked for by GANTRY_FAULTS, ${when} ${point}`), { code: action.code });
    case 'hang': return; // refused where it would hold up everything
    case 'kill': case 'torn': process.kill(process.pid, 'SIGKILL');
  }
}
