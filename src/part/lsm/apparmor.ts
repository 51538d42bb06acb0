/**
 * AppArmor as the kernel has it now: which profiles are loaded, and the default one loaded where it is not. The kernel is asked each time:
 * anybody may load and unload profiles while the daemon runs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { failure, hasCode } from '../../base/errors.ts';
import { SingleFlight } from '../../base/single-flight.ts';
import { run } from '../../host/spawn.ts';
import { builtInProfile, builtInProfileText } from './apparmor-default-profile.ts';

const profilesFile = '/sys/kernel/security/apparmor/profiles';
const parsers = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser'];
const parserDeadlineMs = 30_000;

export interface AppArmorOptions {
  /** A loaded profile to take for RuntimeDefault, by name; undefined: the built-in one. */
  readonly defaultProfile: string | undefined;
  /** Where the kernel lists what is loaded; given by tests. */
  readonly profilesFile?: string;
  /** The program that compiles and loads profiles, undefined for none; left out, it is looked for where distributions put it. */
  readonly parser?: string | undefined;
}

export class AppArmor {
  readonly #configured: string | undefined;
  readonly #profilesFile: string;
  readonly #parser: string | undefined;
  readonly #loading = new SingleFlight<void>();
  /** Whether this daemon has loaded the built-in profile: one of that name may be an older daemon's, made for another peer. */
  #loadedOnce = false;

  constructor(options: AppArmorOptions) {
    this.#configured = options.defaultProfile;
    this.#profilesFile = options.profilesFile ?? profilesFile;
    this.#parser = 'parser' in options ? options.parser : parsers.find((path) => existsSync(path));
  }

  /** What containers go without, for the log at start; undefined when nothing is missing. */
  shortcoming(): string | undefined {
    return this.#configured !== undefined || this.#parser !== undefined ? undefined : "containers run without AppArmor's default profile: there is no apparmor_parser to load it (install the package apparmor)";
  }

  /**
   * The profile for RuntimeDefault, loaded. Undefined where the built-in one cannot be had because there is no apparmor_parser: AppArmor
   * is then not set up on the node, as if it were off. Errors: failed-precondition when the configured one is not loaded, or when the
   * built-in one cannot be loaded; deadline-exceeded after 30 s.
   */
  async defaultProfile(): Promise<string | undefined> {
    if (this.#configured !== undefined) {
      if ((await this.loaded()).has(this.#configured)) return this.#configured;
      throw failure('failed-precondition', { act: 'confine with AppArmor profile', object: this.#configured, why: 'it is not loaded; load it with apparmor_parser, or correct security.apparmor_default_profile' });
    }
    const parser = this.#parser;
    if (parser === undefined) return undefined;
    if (!this.#loadedOnce || !(await this.loaded()).has(builtInProfile)) await this.#loading.run(builtInProfile, () => this.#load(parser));
    return builtInProfile;
  }

  /** The names of all profiles that the kernel has, whatever their mode. */
  async loaded(): Promise<ReadonlySet<string>> {
    const text = await readFile(this.#profilesFile, 'utf8');
    return new Set(text.split('\n').filter((line) => line !== '').map((line) => line.replace(/ \([a-z]+\)$/, '')));
  }

  async #load(parser: string): Promise<void> {
    // Not from or into the parser's cache, which goes by the names of files: ours is text.
    const { code, stderr } = await run(parser, ['--replace', '--skip-cache'], { input: builtInProfileText(ownProfile()), deadlineMs: parserDeadlineMs });
    if (code !== 0) throw failure('failed-precondition', { act: 'load AppArmor profile', object: builtInProfile, why: `${parser} ended with ${code}: ${stderr.toString().trim()}` });
    this.#loadedOnce = true;
  }
}

/** The profile that this process is under: `unconfined`, or a name before its mode in parentheses. */
function ownProfile(): string {
  try {
    return readFileSync('/proc/self/attr/current', 'utf8').replace(/[\0\n]/g, '').replace(/ \([a-z]+\)$/, '') || 'unconfined';
  } catch (error) {
    if (hasCode(error, 'EINVAL') || hasCode(error, 'ENOENT')) return 'unconfined'; // the file is of another security module
    throw error;
  }
}

/** Whether the kernel enforces AppArmor and lets this process see its profiles (not so in a container without securityfs). */
export function hasAppArmor(): boolean {
  return existsSync(profilesFile);
}
