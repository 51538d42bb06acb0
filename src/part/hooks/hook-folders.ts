/**
 * OCI hooks that the administrator put on the node: files that say which program runs at which stage of which containers
 * (oci-hooks(5), schema 1.0.0, which Podman and CRI-O read too).
 */
import type { StagedHook } from '../../base/container-edits.ts';
import { failure, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { ParsedFiles } from '../../host/parsed-files.ts';
import type { ParsedFile } from '../../host/parsed-files.ts';
import { parseHookFile } from './hook-file.ts';
import type { HookConditions, HookFile } from './hook-file.ts';
import { matches } from './pattern.ts';

/** What hooks choose containers by. */
export interface HookSubject {
  /** The program that the container runs. */
  readonly command: string;
  /** The container's and the pod's. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly hasBindMounts: boolean;
}

export interface HooksReport {
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly problems: readonly { readonly path: string; readonly problem: string }[];
}

export class HookFolders {
  readonly #folders: () => readonly string[];
  readonly #files: ParsedFiles<HookFile>;

  /** `folders`: the configured ones, now; a file in a later one replaces the file of the same name in an earlier one. */
  constructor({ folders, log }: { folders: () => readonly string[]; log: Logger }) {
    this.#folders = folders;
    this.#files = new ParsedFiles({ what: 'OCI hook', suffixes: ['.json'], parse: parseHookFile, log });
  }

  /**
   * The hooks for a container, in the order of their files' names. A broken file has none, and still hides the one that it was meant to replace.
   *
   * Errors: failed-precondition naming the file when the program of a hook that applies is missing, for what it was to do would be missing too, or
   * when its conditions cannot be decided; deadline-exceeded.
   */
  async matching(subject: HookSubject): Promise<StagedHook[]> {
    const hooks: StagedHook[] = [];
    for (const { path, content } of inForce(await this.#files.read(this.#folders()))) {
      if (content === undefined || !holds(content.when, subject, path)) continue;
      await checkProgram(content, path);
      hooks.push(...content.stages.map((stage) => ({ stage, ...content.program })));
    }
    return hooks;
  }

  /** For the verbose status. Errors: deadline-exceeded. */
  async report(): Promise<HooksReport> {
    const folders = this.#folders();
    const files = await this.#files.read(folders);
    return {
      folders,
      files: inForce(files).filter(({ content }) => content !== undefined).map(({ path }) => path),
      problems: files.flatMap(({ path, problem }) => (problem === undefined ? [] : [{ path, problem }])),
    };
  }
}

/** One file a name, by name without regard to case. */
function inForce(files: readonly ParsedFile<HookFile>[]): ParsedFile<HookFile>[] {
  const byName = new Map(files.filter(({ name }) => name !== '').map((file) => [file.name, file]));
  const rank = ({ name }: ParsedFile<HookFile>): string => name.toLowerCase();
  return [...byName.values()].sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
}

function holds(when: HookConditions, { command, annotations, hasBindMounts }: HookSubject, file: string): boolean {
  if (when.always === false || when.hasBindMounts === false) return false; // as every reader of these files takes it
  if (when.hasBindMounts === true && !hasBindMounts) return false;
  try {
    return when.annotations.every(({ key, value }) => Object.entries(annotations).some(([name, text]) => matches(key, name) && matches(value, text)))
      && (when.commands.length === 0 || when.commands.some((pattern) => matches(pattern, command)));
  } catch (cause) {
    throw failure('failed-precondition', { act: 'decide on OCI hook', object: file, why: `one of its patterns takes too long on this container: ${messageOf(cause)}`, cause });
  }
}

// A program of the stage startContainer is one in the container.
async function checkProgram({ program, stages }: HookFile, file: string): Promise<void> {
  if (stages.every((stage) => stage === 'startContainer')) return;
  const missing = await fencedFiles.checkProgram(program.path).then(() => undefined, messageOf);
  if (missing !== undefined) throw failure('failed-precondition', { act: 'run OCI hook', object: file, why: `its program cannot be run: ${missing}; install it or remove the file` });
}
