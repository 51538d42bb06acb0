/** Credentials as `docker login` and `podman login` keep them: `config.json`, `auth.json`, and the helper programs that these name. */
import { homedir } from 'node:os';
import { failure } from '../../base/errors.ts';
import { findProgram } from '../../host/find-program.ts';
import { run } from '../../host/spawn.ts';
import { decodeAuth, isSameRegistry } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { readIfThere } from './read-if-there.ts';

export interface FoundCredentials {
  readonly credentials: Credentials;
  /** Where they are from, for people; shows nothing of them. */
  readonly source: string;
}

interface AuthFile {
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore: string | undefined;
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

const helperDeadlineMs = 10_000;

/**
 * The credentials for `host/repository` in the first of these files that has some: of the entries the one whose name is the
 * longest beginning of it, else what the file's helper for the host answers. A file that can't be understood, and a helper that fails, is
 * failed-precondition: to go on without would end in a denial that names the wrong cause.
 */
export async function findInAuthFiles(files: readonly string[], host: string, repository: string): Promise<FoundCredentials | undefined> {
  for (const file of files) {
    const found = await findInAuthFile(file, host, repository);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function findInAuthFile(path: string, host: string, repository: string): Promise<FoundCredentials | undefined> {
  const text = await readIfThere(path, 'credentials file');
  if (text === undefined || text.trim() === '') return undefined;
  const file = parseAuthFile(text, path);
  const helper = Object.entries(file.credHelpers).find(([name]) => isSameRegistry(name, host))?.[1];
  if (helper !== undefined) {
    const answered = await askHelper(helper, { host, path });
    if (answered !== undefined) return answered;
  }
  const entry = longestEntry(file, host, repository);
  if (entry !== undefined) {
    const credentials = ofEntry(entry[1], path, entry[0]);
    if (credentials !== undefined) return { credentials, source: `${path} (${entry[0]})` };
  }
  return file.credsStore === undefined ? undefined : await askHelper(file.credsStore, { host, path });
}

/** `auths` may be written as a whole registry, as `docker login` does it, or as a path below one, as Podman has it. */
function longestEntry(file: AuthFile, host: string, repository: string): [string, AuthEntry] | undefined {
  const fitting = Object.entries(file.auths).filter(([name]) => {
    const path = pathOf(name);
    return isSameRegistry(name, host) && (path === '' || repository === path || repository.startsWith(`${path}/`));
  });
  return fitting.sort(([a], [b]) => pathOf(b).length - pathOf(a).length)[0];
}

/** The path of an entry's name; the API version that old clients wrote behind the host is none. */
function pathOf(name: string): string {
  if (/^https?:\/\//.test(name)) return '';
  const slash = name.indexOf('/');
  return slash < 0 ? '' : name.slice(slash + 1).replace(/\/+$/, '');
}

function ofEntry({ auth = '', username = '', password = '', identitytoken = '', registrytoken = '' }: AuthEntry, path: string, name: string): Credentials | undefined {
  if (registrytoken !== '') return { kind: 'registry-token', token: registrytoken };
  if (identitytoken !== '') return { kind: 'identity-token', token: identitytoken };
  if (username !== '') return { kind: 'basic', username, password };
  if (auth === '') return undefined;
  const decoded = decodeAuth(auth);
  if (decoded === undefined) throw failure('failed-precondition', { act: 'read credentials file', object: path, why: `auth of ${name} is not base64 of user:password` });
  return decoded;
}

function parseAuthFile(text: string, path: string): AuthFile {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read credentials file', object: path, why, cause });
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw refuse('it is not JSON'); // without the cause, which quotes the text
  }
  const table = (key: string): Record<string, unknown> => {
    const value = document[key] ?? {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(`${key} must be an object`);
    return value as Record<string, unknown>;
  };
  const auths = table('auths');
  for (const [name, entry] of Object.entries(auths)) {
    if (typeof entry !== 'object' || entry === null || !Object.values(entry).every((each) => each === null || typeof each !== 'object')) throw refuse(`auths: ${name} must be an object of strings`);
  }
  const credHelpers = table('credHelpers');
  const { credsStore } = document;
  return {
    auths: auths as Record<string, AuthEntry>,
    credHelpers: Object.fromEntries(Object.entries(credHelpers).map(([name, helper]) => [name, helperName(helper, refuse)])),
    credsStore: credsStore === undefined || credsStore === '' ? undefined : helperName(credsStore, refuse),
  };
}

// The name becomes the end of a program's name: nothing of a path may be in it.
function helperName(value: unknown, refuse: (why: string) => Error): string {
  if (typeof value !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(value)) throw refuse('the name of a credential helper has letters, digits, _, . and - only');
  return value;
}

/** The docker-credential-helpers protocol: `get`, the registry on standard input, JSON on standard output. Undefined: it knows none. */
async function askHelper(name: string, { host, path }: { host: string; path: string }): Promise<FoundCredentials | undefined> {
  const program = `docker-credential-${name}`;
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'ask credential helper', object: program, why, cause });
  const server = isSameRegistry('docker.io', host) ? 'https://index.docker.io/v1/' : host;
  const file = findProgram(program);
  if (file === undefined) throw refuse(`it is not installed; ${path} names it for ${host}`);
  const result = await run(file, ['get'], { input: server, deadlineMs: helperDeadlineMs, env: { PATH: process.env['PATH'] ?? '', HOME: homedir() } }).catch((cause: unknown) => {
    throw refuse(`it gave no answer for ${host}`, cause);
  });
  const said = result.stdout.toString('utf8').trim();
  if (result.code !== 0) {
    if (/credentials not found/i.test(said) || /credentials not found/i.test(result.stderr.toString('utf8'))) return undefined;
    throw refuse(`it ended with code ${result.code} for ${host}: ${JSON.stringify((said || result.stderr.toString('utf8').trim()).slice(0, 200))}`);
  }
  const { Username: username, Secret: secret } = answerOf(said, refuse);
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') throw refuse(`its answer for ${host} has no Username and Secret`);
  const credentials: Credentials = username === '<token>' ? { kind: 'identity-token', token: secret } : { kind: 'basic', username, password: secret };
  return { credentials, source: `${program}, named in ${path}` };
}

function answerOf(text: string, refuse: (why: string) => Error): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw refuse('its answer is not JSON'); // never quoted: it may hold the secret
  }
}
