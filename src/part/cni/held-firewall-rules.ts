import { failure } from '../../base/errors.ts';
import type { HeldThing } from '../../base/held-thing.ts';
import { findProgram } from '../../host/find-program.ts';
import { run } from '../../host/spawn.ts';

const deadlineMs = 10_000;
const programs = ['iptables', 'ip6tables'] as const;

/** The comment that the plugins bridge and portmap give to the rules of one container: `name: "podnet" id: "3f…"`. */
const idInComment = /id: \\?"([0-9a-f]{64})\\?"/;
/** A chain of one container's alone. */
const ownChain = /^CNI-(?:DN-)?[0-9a-f]{16,}$/;

interface Rule {
  readonly table: string;
  readonly chain: string;
  /** As `iptables-save` prints it: `-A CHAIN …`. */
  readonly words: readonly string[];
  readonly owner: string;
}

/**
 * The rules that CNI plugins have made for containers, all of one container in one table as one thing; their chains go with them.
 * Not all are ours: any runtime's pods have theirs. Without iptables there are none.
 */
export async function heldFirewallRules(): Promise<HeldThing[]> {
  return (await Promise.all(programs.map(rulesOf))).flat();
}

async function rulesOf(name: string): Promise<HeldThing[]> {
  const [program, saver] = [findProgram(name), findProgram(`${name}-save`)];
  if (program === undefined || saver === undefined) return [];
  const saved = await save(saver);
  const groups = new Map<string, Rule[]>();
  for (const rule of parseSavedRules(saved)) {
    const key = `${rule.table} ${rule.owner}`;
    groups.set(key, [...(groups.get(key) ?? []), rule]);
  }
  return [...groups.values()].map((rules) => {
    const [{ table, owner }] = rules as [Rule];
    const chains = [...new Set(rules.flatMap(({ chain, words }) => [chain, words[words.indexOf('-j') + 1] ?? '']).filter((name) => ownChain.test(name)))];
    return { kind: 'firewall', name: `${name} ${table} ${chains.join(' ') || rules.map(({ chain }) => chain).join(' ')}`, owner, remove: () => remove(program, rules, chains) };
  });
}

/** Rules with a container's id in their comment, from the output of iptables-save. */
export function parseSavedRules(saved: string): Rule[] {
  let table = '';
  return saved.split('\n').flatMap((line) => {
    if (line.startsWith('*')) table = line.slice(1);
    const owner = idInComment.exec(line)?.[1];
    const words = wordsOf(line);
    return owner === undefined || words[0] !== '-A' ? [] : [{ table, chain: words[1]!, words, owner }];
  });
}

/** Words, or texts in double quotes with backslash escapes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => plain ?? quoted!.replaceAll(/\\(.)/g, '$1'));
}

async function save(saver: string): Promise<string> {
  const result = await run(saver, [], { deadlineMs, maxOutputBytes: 64 * 1024 * 1024 });
  if (result.code === 0) return result.stdout.toString();
  throw failure('internal', { act: 'list firewall rules', object: saver, why: result.stderr.toString().trim() });
}

async function remove(program: string, rules: readonly Rule[], chains: readonly string[]): Promise<void> {
  const table = rules[0]!.table;
  // What is gone already fails, and is fine: whether anything is left is for the next look to say.
  const change = (words: readonly string[]): Promise<unknown> => run(program, ['-w', '5', '-t', table, ...words], { deadlineMs });
  for (const { words } of rules) await change(['-D', ...words.slice(1)]);
  for (const chain of chains) await change(['-F', chain]);
  for (const chain of chains) await change(['-X', chain]);
}
