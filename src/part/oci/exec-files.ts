/** What one exec leaves in its directory while it runs, and by which a later daemon finds its processes (end-orphaned-execs.ts). */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

/** The environment variable that marks every process of one exec, so that its end finds those that left the family. */
export const execMarker = 'GANTRY_EXEC';

/** `process` of the OCI runtime spec. */
export interface OciProcess {
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly [member: string]: unknown;
}

export class ExecFiles {
  /** `NAME=value`, in the environment of the command. */
  readonly marker: string;
  /** Of the container's environment and more: readable by us alone. */
  readonly processFile: string;
  readonly pidFile: string;
  /** Of its pid inside a sandbox; only a runtime that has sandboxes writes it. */
  readonly innerPidFile: string;
  /** Where a runtime hands over the terminal. */
  readonly consoleSocket: string;

  /** Writes the process file. `directory` is a private one. */
  constructor(directory: string, process: OciProcess) {
    const token = randomBytes(8).toString('hex');
    this.marker = `${execMarker}=${token}`;
    this.processFile = join(directory, `exec-${token}.json`);
    this.pidFile = join(directory, `exec-${token}.pid`);
    this.innerPidFile = join(directory, `exec-${token}.inner`);
    this.consoleSocket = join(directory, `exec-${token}.sock`);
    writeFileSync(this.processFile, JSON.stringify({ ...process, env: [...(process.env ?? []), this.marker] }), { mode: 0o600 });
  }

  /** The command's pid. The runtimes write it once the command runs: while there is none, what they print and return is their own. */
  pid(): number | undefined {
    return readPid(this.pidFile);
  }

  innerPid(): number | undefined {
    return readPid(this.innerPidFile);
  }

  remove(): void {
    for (const file of [this.processFile, this.pidFile, this.innerPidFile, this.consoleSocket]) rmSync(file, { force: true });
  }
}

/** The pid in a file that a runtime writes; undefined while there is none. */
export function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'latin1'), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
