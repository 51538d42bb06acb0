/** Executes CNI plugins (CNI spec section 2) and turns what they say about failures into errors of ours. */
import { stat } from 'node:fs/promises';
import * as path from 'node:path';

import { failure, GantryError, isKind, kindOf } from '../../base/errors.ts';
import { atPoint } from '../../base/faults.ts';
import type { ErrorKind } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { run } from '../../host/spawn.ts';
import type { RunResult } from '../../host/spawn.ts';

export type CniVerb = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** What errors name. */
export interface CallName {
  readonly verb: CniVerb;
  /** The plugin's `type`, which is its executable's name. */
  readonly type: string;
  readonly networkName: string;
}

export interface PluginCall extends CallName {
  /** Standard input, JSON. */
  readonly request: string;
  /** CNI_CONTAINERID and its like; CNI_COMMAND and CNI_PATH are added. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kills the plugin. Only for verbs that change nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Shortens the runner's own deadline. */
  readonly deadlineMs?: number;
}

/** Runs one plugin to its end and returns its standard output. */
export type PluginRunner = (call: PluginCall) => Promise<string>;

/** The error object that a plugin answers (spec section 5, "Error"): the cause of the failure that it became. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;

  constructor({ code, msg, details }: { code: number; msg: string; details: string }) {
    super([msg, details].filter((text) => text !== '').join('; '));
    this.code = code;
  }
}

/** The numeric code that a plugin gave for a failure of the runner's; undefined when it gave none. */
export function cniCodeOf(error: unknown): number | undefined {
  return error instanceof GantryError && error.cause instanceof CniError ? error.cause.code : undefined;
}

/**
 * Makes a runner that looks for plugins in these directories, in order. Every failure names plugin, verb and network:
 * - failed-precondition: no such plugin (it names where it was looked for), or the plugin refuses the configuration
 * - unavailable: the plugin says to try again, or that it is not ready
 * - deadline-exceeded: it was killed, with its process group, after `deadlineMs`
 * - internal: anything else
 */
export function createPluginRunner({ binDirs, deadlineMs }: { binDirs: readonly string[]; deadlineMs: number }): PluginRunner {
  const searchPath = binDirs.join(':');
  return async (call) => {
    const limitMs = Math.min(deadlineMs, call.deadlineMs ?? deadlineMs);
    const file = await findPlugin(call, binDirs);
    let result: RunResult;
    try {
      result = await atPoint(`program/cni ${call.verb.toLowerCase()} ${call.type}`, () => run(file, [], {
        // Plugins see the daemon's environment, as they do with every runtime: some need a proxy or a kubeconfig from it.
        env: { ...(process.env as Record<string, string>), ...call.env, CNI_COMMAND: call.verb, CNI_PATH: searchPath },
        input: call.request,
        deadlineMs: limitMs,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      }));
    } catch (cause) {
      throw whyNotRun(call, cause, limitMs);
    }
    if (result.code !== 0) throw pluginFailure(call, result);
    if (result.truncated) throw callFailure(call, 'internal', { why: 'it wrote more output than a plugin may' });
    return result.stdout.toString();
  };
}

/** Parses the answer of a plugin that succeeded. */
export function parseAnswer(call: PluginCall, stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    const why = stdout.trim() === '' ? 'it succeeded but answered nothing' : `its answer is not JSON: ${excerpt(stdout)}`;
    throw callFailure(call, 'internal', { why, cause });
  }
}

/** An error about a call that names plugin, verb and network. */
export function callFailure(call: CallName, kind: ErrorKind, detail: { why?: string; cause?: unknown }): GantryError {
  return failure(kind, { act: `CNI ${call.verb} with plugin ${call.type} on network`, object: call.networkName, ...detail });
}

/** The plugin's executable: the first there is. None: failed-precondition, saying where it was looked for. */
export async function findPlugin(call: CallName, binDirs: readonly string[]): Promise<string> {
  for (const directory of binDirs) {
    const file = path.join(directory, call.type);
    if (await isProgram(file, call)) return file;
  }
  throw callFailure(call, 'failed-precondition', { why: `there is no executable ${call.type} in ${binDirs.join(', ')}; install the plugin or correct the directories` });
}

/** Looked at through the fence, so that a dead mount costs the calls that need this plugin and no other. */
async function isProgram(file: string, call: CallName): Promise<boolean> {
  try {
    await fencedFiles.reach(file);
    const found = await stat(file);
    return found.isFile() && (found.mode & 0o111) !== 0;
  } catch (cause) {
    if (isKind(cause, 'deadline-exceeded') || isKind(cause, 'unavailable')) throw callFailure(call, kindOf(cause), { cause });
    return false;
  }
}

function whyNotRun(call: PluginCall, cause: unknown, limitMs: number): GantryError {
  if (isKind(cause, 'deadline-exceeded')) return callFailure(call, 'deadline-exceeded', { why: `it did not finish within ${limitMs} ms and was killed`, cause });
  if (isKind(cause, 'not-found')) return callFailure(call, 'failed-precondition', { why: 'its executable, or the interpreter that it names, is gone', cause });
  return callFailure(call, kindOf(cause), { cause });
}

/** Well-known codes (spec section 5, "Error"). A code that is not here is a plugin's own. */
const kindOfCode: Readonly<Record<number, ErrorKind>> = {
  1: 'failed-precondition',
  2: 'failed-precondition',
  3: 'failed-precondition',
  6: 'failed-precondition',
  7: 'failed-precondition',
  11: 'unavailable',
  50: 'unavailable',
  51: 'unavailable',
};

function pluginFailure(call: PluginCall, result: RunResult): GantryError {
  const stderr = result.stderr.toString().trim();
  const quoted = stderr === '' ? [] : [`stderr: ${excerpt(stderr)}`];
  const cause = errorObject(result.stdout.toString());
  if (cause === undefined) {
    return callFailure(call, 'internal', { why: [`it ended with code ${result.code} and no CNI error`, ...quoted].join('; ') });
  }
  return callFailure(call, kindOfCode[cause.code] ?? 'internal', { why: [cause.message, `CNI code ${cause.code}`, ...quoted].join('; '), cause });
}

function errorObject(stdout: string): CniError | undefined {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    return undefined;
  }
  const { code, msg, details } = (value ?? {}) as Record<string, unknown>;
  if (typeof code !== 'number' || typeof msg !== 'string') return undefined;
  return new CniError({ code, msg: clip(msg), details: typeof details === 'string' ? clip(details) : '' });
}

const maxQuoted = 600;

function clip(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length <= maxQuoted ? line : `${line.slice(0, maxQuoted)}…`;
}

/** Foreign text on one line, without control characters, its end being what matters most. */
function excerpt(text: string): string {
  const trimmed = text.trim();
  return JSON.stringify(trimmed.length <= maxQuoted ? trimmed : `…${trimmed.slice(-maxQuoted)}`);
}

