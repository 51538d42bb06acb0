/** One log record as a line of JSON, or as a line for people. */
import { inspect } from 'node:util';
import { GantryError, kindOf, messageOf } from './errors.ts';
import type { LogFields, LogLevel } from './log.ts';

export interface LogRecord {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  /** Whether errors show where they were made. */
  readonly stacks: boolean;
}

/** The record as one JSON object: `time`, `level`, `msg`, then the fields. A field of one of these names gets a `_` behind it. */
export function formatJson({ time, level, message, fields, stacks }: LogRecord): string {
  const object: Record<string, unknown> = { time: time.toISOString(), level, msg: message };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) object[name in object ? `${name}_` : name] = plain(value, stacks);
  }
  return `${JSON.stringify(object)}\n`;
}

const longestValue = 16_384;

/** What JSON can hold of a value: errors as their kind and message, long text cut, what has no JSON form as Node would show it. */
function plain(value: unknown, stacks: boolean): unknown {
  if (value instanceof Error) return { kind: kindOf(value), message: chainOf(value), ...(stacks ? { stack: stacksOf(value) } : {}) };
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  try {
    const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner instanceof Error ? chainOf(inner) : inner));
    return text.length > longestValue ? cut(text) : (JSON.parse(text) as unknown);
  } catch {
    return cut(inspect(value, { depth: 3, breakLength: Infinity })); // a cycle, or a toJSON that throws
  }
}

function cut(text: string): string {
  return text.length > longestValue ? `${text.slice(0, longestValue)}… (${text.length} characters)` : text;
}

/** The message of an error followed by those of its causes that it does not already tell. */
export function chainOf(error: unknown): string {
  let chain = messageOf(error);
  for (const cause of causesOf(error)) {
    const message = messageOf(cause);
    if (!chain.includes(message)) chain += `: ${message}`;
  }
  return chain;
}

const deepest = 16; // a cause may lead back to itself

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause !== undefined && causes.length < deepest) {
    causes.push(cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

function stacksOf(error: Error): string {
  return [error, ...causesOf(error)].map((each) => (each instanceof Error ? (each.stack ?? each.message) : String(each))).join('\ncaused by ');
}

const colours: Readonly<Record<LogLevel, string>> = { debug: '\x1b[2m', info: '\x1b[36m', warn: '\x1b[33m', error: '\x1b[31m' };
const dim = '\x1b[2m';
const bold = '\x1b[1m';
const plainAgain = '\x1b[0m';

/** The record for people: time of day, level, message, `name=value`, and below it the stack of an error when asked. */
export function formatPretty({ time, level, message, fields, stacks }: LogRecord, colour: boolean): string {
  const paint = (code: string, text: string): string => (colour ? `${code}${text}${plainAgain}` : text);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
  const head = `${paint(dim, `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`)} ${paint(colours[level], level.toUpperCase().padEnd(5))} ${paint(bold, visible(message))}`;

  const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
  const pairs = shown.map(([name, value]) => ` ${paint(dim, `${name}=`)}${prettyValue(value)}`);
  const traces = stacks ? shown.flatMap(([, value]) => (value instanceof Error ? [`\n${indented(stacksOf(value))}`] : [])) : [];
  return `${head}${pairs.join('')}${traces.join('')}\n`;
}

function prettyValue(value: unknown): string {
  if (value instanceof Error) return `${quoted(chainOf(value))}${value instanceof GantryError ? ` (${value.kind})` : ''}`;
  const simple = plain(value, false);
  return quoted(typeof simple === 'string' ? simple : JSON.stringify(simple));
}

/** Bare when it is one word, else as a JSON string, so that no value can pass for another field or another line. */
function quoted(text: string): string {
  return /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(text) ? text : visible(JSON.stringify(text));
}

/** Control characters as escapes: a name that somebody chose must not paint the terminal or begin a new line. */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function indented(text: string): string {
  return text.split('\n').map((line) => `    ${visible(line)}`).join('\n');
}
