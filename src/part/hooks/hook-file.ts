import type { HookStage, StagedHook } from '../../base/container-edits.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { compilePattern } from './pattern.ts';

/** One hook configuration file, schema 1.0.0. */
export interface HookFile {
  readonly program: HookProgram;
  readonly when: HookConditions;
  readonly stages: readonly HookStage[];
}

export type HookProgram = Omit<StagedHook, 'stage'>;

/** Those that are set must all hold, and one must be. */
export interface HookConditions {
  readonly always: boolean | undefined;
  /** For each pair there must be an annotation whose name and value both match. */
  readonly annotations: readonly { readonly key: RegExp; readonly value: RegExp }[];
  /** One of them must match the program that the container runs. */
  readonly commands: readonly RegExp[];
  readonly hasBindMounts: boolean | undefined;
}

// The OCI specification took prestart away in favour of createRuntime, which runs at the same moment.
const stages: Readonly<Record<string, HookStage>> = {
  prestart: 'createRuntime', createRuntime: 'createRuntime', createContainer: 'createContainer', startContainer: 'startContainer', poststart: 'poststart', poststop: 'poststop',
};

const maxTimeout = 2_147_483_647;

/** Reads a hook configuration file. Throws an Error that says what is wrong in it. Members that are not known are let be, as other readers do. */
export function parseHookFile(text: string): HookFile {
  const file = new ForeignValue(JSON.parse(text)).members();
  if (file.get('version').textOr('') !== '1.0.0') throw file.get('version').wants('1.0.0, the only version that is supported');
  return { program: parseProgram(file.get('hook')), when: parseConditions(file.get('when')), stages: parseStages(file.get('stages')) };
}

function parseProgram(value: ForeignValue): HookProgram {
  const hook = value.members();
  const path = hook.get('path').text();
  if (!path.startsWith('/')) throw hook.get('path').wants('an absolute path');
  return { path, args: hook.get('args').texts(), env: hook.get('env').texts(), timeout: hook.get('timeout').integerOr(undefined, 1, maxTimeout) };
}

function parseConditions(value: ForeignValue): HookConditions {
  const when = value.members(['always', 'annotations', 'commands', 'hasBindMounts']);
  if (when.names.length === 0) throw value.wants('at least one condition, such as "always": true');
  const annotations = when.get('annotations').members();
  return {
    always: flagOf(when.get('always')),
    annotations: annotations.names.map((name) => ({ key: patternOf(annotations.get(name), name), value: patternOf(annotations.get(name)) })),
    commands: when.get('commands').items().map((item) => patternOf(item)),
    hasBindMounts: flagOf(when.get('hasBindMounts')),
  };
}

function flagOf(value: ForeignValue): boolean | undefined {
  return value.absent ? undefined : value.flag();
}

function patternOf(value: ForeignValue, text = value.text()): RegExp {
  try {
    return compilePattern(text);
  } catch (error) {
    throw new Error(`${value.where}: ${(error as Error).message}`, { cause: error });
  }
}

function parseStages(value: ForeignValue): readonly HookStage[] {
  const named = value.items().map((item) => {
    const name = item.text();
    if (!Object.hasOwn(stages, name)) throw item.wants(`one of ${Object.keys(stages).join(', ')}`);
    return stages[name]!;
  });
  if (named.length === 0) throw value.wants('at least one stage');
  return [...new Set(named)];
}
