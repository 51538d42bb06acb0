/** CRIU, the program that captures processes and brings them back: whether it is there, and whether it works on this kernel. */
import { stat } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { findProgram } from '../../host/find-program.ts';
import { run } from '../../host/spawn.ts';

export type CriuState =
  | { readonly version: string }
  /** What is missing, and what to do where something can be done. */
  | { readonly shortcoming: string };

const deadlineMs = 20_000;
const maxReasons = 3;

/** OCI runtimes look CRIU up in the search path, so that is where it has to be. */
export class Criu {
  readonly #searchPath: () => string;
  readonly #asking = new SingleFlight<CriuState>();
  #known: { readonly program: string; readonly state: CriuState } | undefined;

  constructor(searchPath: () => string = () => process.env['PATH'] ?? '') {
    this.#searchPath = searchPath;
  }

  /** Asked once: again when the program was replaced, or did not work. Never throws. */
  state(): Promise<CriuState> {
    return this.#asking.run('', async () => {
      const path = findProgram('criu', this.#searchPath());
      if (path === undefined) return { shortcoming: 'there is no program criu: install the package criu' };
      const program = await identityOf(path);
      if (this.#known?.program === program && 'version' in this.#known.state) return this.#known.state;
      const state = await ask(path);
      this.#known = { program, state };
      return state;
    });
  }
}

async function ask(path: string): Promise<CriuState> {
  try {
    const told = await run(path, ['--version'], { deadlineMs });
    const version = /Version: (\S+)/.exec(told.stdout.toString())?.[1] ?? 'of an unknown version';
    const { code, stdout, stderr } = await run(path, ['check'], { deadlineMs });
    return code === 0 ? { version } : { shortcoming: whyCheckFailed(version, `${stderr.toString()}\n${stdout.toString()}`) };
  } catch (error) {
    return { shortcoming: messageOf(error) };
  }
}

async function identityOf(program: string): Promise<string> {
  const { dev, ino, mtimeNs } = await stat(program, { bigint: true });
  return [program, dev, ino, mtimeNs].join();
}

/** The sentence for what `criu check` printed: the features that it named, the first ones being what the others follow from. */
export function whyCheckFailed(version: string, output: string): string {
  const reasons = errorsOf(output).slice(0, maxReasons);
  const missing = reasons.length === 0 ? 'without a reason' : reasons.join('; ');
  const remedy = reasons.some((reason) => reason.startsWith('vdso:')) ? ' (this kernel is newer than this CRIU: install a newer one)' : '';
  return `CRIU ${version} does not work on this kernel, says criu check: ${missing}${remedy}`;
}

/** What CRIU calls an error, in a log of its or on its standard error, without where in its source that was; in its order, none twice. */
export function errorsOf(log: string): string[] {
  const lines = log.split('\n').flatMap((line) => {
    const text = /^(?:\(\d+\.\d+\)\s+)?(?:\s*\d+: )?Error \([^)]*\): (.*)$/.exec(line)?.[1];
    // eslint-disable-next-line no-control-regex
    return text === undefined ? [] : [text.replace(/[\x00-\x1f\x7f]/g, ' ').trim().slice(0, 200)];
  });
  return [...new Set(lines)].filter((line) => !harmless.test(line));
}

/** Printed as an error by a CRIU that goes on and succeeds: without CAP_SYS_RESOURCE it cannot raise its own limit. */
const harmless = /^rlimit: Can't setup RLIMIT_NOFILE/;
