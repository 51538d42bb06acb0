/** What is to break, as `GANTRY_FAULTS` says it; docs/faults.md has the syntax. */
import { failure } from './errors.ts';
import { faultPoints, isTornPoint } from './fault-points.ts';
import { matchesStars } from './star-pattern.ts';

export type FaultAction =
  /** SIGKILL to the process itself. */
  | { readonly do: 'kill' }
  /** Throws an error with this code, as the system would. */
  | { readonly do: 'error'; readonly code: string }
  | { readonly do: 'delay'; readonly ms: number }
  /** Never goes on. */
  | { readonly do: 'hang' }
  /** Half of a file is written, then as `kill`. */
  | { readonly do: 'torn' }
  /** Breaks nothing: adds the point to a file, a line for each passage. */
  | { readonly do: 'trace'; readonly file: string };

export interface FaultRule {
  readonly action: FaultAction;
  readonly when: 'before' | 'after';
  /** A point, or a pattern with stars. */
  readonly point: string;
  /** Which passage is meant, from 1; undefined: each. */
  readonly passage: number | undefined;
  /** Whether it is for the recovery at the daemon's start; else for what comes after that. */
  readonly atStart: boolean;
}

const ruleForm = /^(?<act>kill|hang|torn|error|delay|trace)(?:\((?<value>[^)]+)\))? (?<when>before|after) (?<point>\S.*?)(?: (?:#(?<nth>[1-9]\d{0,8})|(?<every>every time)))?(?<start> at start)?$/;

/** Reads a plan: rules with semicolons between them. One that cannot be read, or that no point fits: invalid-argument. */
export function parseFaults(text: string): FaultRule[] {
  return text.split(';').map((rule) => rule.trim()).filter((rule) => rule !== '').map(parseRule);
}

function parseRule(text: string): FaultRule {
  const { act = '', value, when, point = '', nth, every, start } = ruleForm.exec(text)?.groups ?? {};
  if (act === '') throw unreadable(text, 'a rule is ACTION before|after POINT [#N | every time] [at start]');
  const action = parseAction(text, act, value);
  if (!point.includes('*') && !faultPoints.some((known) => matchesStars(known, point))) throw unreadable(text, `there is no fault point ${point} (npm run fault -- --points lists them)`);
  if (action.do === 'torn' && !(when === 'before' && isTornPoint(point))) throw unreadable(text, 'only what comes before file/write can be torn');
  if (action.do === 'hang' && /^(store\/|\*)/.test(point)) throw unreadable(text, 'a write to the store holds up the whole daemon: delay it instead');
  return { action, when: when as 'before' | 'after', point, passage: every === undefined ? Number(nth ?? 1) : undefined, atStart: start !== undefined };
}

function parseAction(rule: string, act: string, value: string | undefined): FaultAction {
  if (act === 'error' && value !== undefined && /^E[A-Z0-9]+$/.test(value)) return { do: 'error', code: value };
  if (act === 'delay' && value !== undefined && /^\d{1,6}$/.test(value)) return { do: 'delay', ms: Number(value) };
  if (act === 'trace' && value !== undefined && value.startsWith('/')) return { do: 'trace', file: value };
  if ((act === 'kill' || act === 'hang' || act === 'torn') && value === undefined) return { do: act };
  throw unreadable(rule, 'the actions are kill, hang, torn, error(ENOSPC), delay(MILLISECONDS) and trace(/FILE)');
}

function unreadable(rule: string, why: string): Error {
  return failure('invalid-argument', { act: 'read GANTRY_FAULTS', object: `"${rule}"`, why });
}
