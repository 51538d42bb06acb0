/** Which pod, container or image a word on the command line means. */
import { failure } from '../../base/errors.ts';
import { shortId } from './human.ts';

export interface Findable {
  readonly kind: 'pod' | 'container' | 'image';
  readonly id: string;
  /** Words that mean this one: `web`, `default/web`. */
  readonly names: readonly string[];
  /** Words that mean it only if nothing else answers to them: a pod's name for its container. */
  readonly aliases: readonly string[];
  /** What people call it, in full: `default/web/client`. Of several with the same title a name means the newest. */
  readonly title: string;
  readonly createdAt: bigint;
}

/**
 * The one thing that `word` means: by whole id, else by name, else by the beginning of an id, else by alias. Nothing:
 * not-found. Several: invalid-argument, and the message lists them.
 */
export function findOne<T extends Findable>(word: string, among: readonly T[], act: string): T {
  const rules: readonly ((item: T) => boolean)[] = [
    (item) => item.id === word || shortHex(item.id) === word,
    (item) => item.names.includes(word),
    (item) => isIdStart(word, item.id),
    (item) => item.aliases.includes(word),
  ];
  for (const [rank, rule] of rules.entries()) {
    const byName = rank === 1 || rank === 3;
    const found = byName ? newestOfEach(among.filter(rule)) : among.filter(rule);
    if (found.length === 1) return found[0]!;
    if (found.length > 1) throw ambiguous(word, found, act);
  }
  throw failure('not-found', { act, object: word, why: 'nothing on this node has this name or id' });
}

function newestOfEach<T extends Findable>(items: readonly T[]): T[] {
  const newest = new Map<string, T>();
  for (const item of items) {
    const key = `${item.kind} ${item.title}`;
    const other = newest.get(key);
    if (!other || other.createdAt < item.createdAt) newest.set(key, item);
  }
  return [...newest.values()];
}

function ambiguous(word: string, found: readonly Findable[], act: string): Error {
  const shown = found.slice(0, 8).map((item) => `${item.kind} ${item.title} (${shortId(item.id)})`);
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
  return failure('invalid-argument', { act, object: word, why: `this may be ${shown.join(', ')}${more}: say which by its id or longer name` });
}

function shortHex(id: string): string {
  return id.replace(/^sha256:/, '');
}

function isIdStart(word: string, id: string): boolean {
  const hex = shortHex(word);
  return /^[0-9a-f]+$/.test(hex) && shortHex(id).startsWith(hex);
}
