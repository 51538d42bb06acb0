/** Which endpoint a request is for. */
import { failure } from '../../base/errors.ts';

/** What is spoken. Older clients are as old as Docker 1.12; newer ones ask which version they shall speak, or get told. */
export const apiVersions = { oldest: 24, newest: 44 } as const;

export const newestVersion = `1.${apiVersions.newest}`;

export interface Target {
  /** Without version and query. */
  readonly path: string;
  readonly apiVersion: number;
  readonly query: URLSearchParams;
}

/** A version that is not spoken is invalid-argument, in Docker's words: some clients look for them. */
export function targetOf(url: string): Target {
  const mark = url.indexOf('?');
  const [whole, query] = mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
  const versioned = /^\/v(\d{1,3})\.(\d{1,3})(\/.*)$/.exec(whole);
  const [major, minor] = versioned === null ? [1, apiVersions.newest] : [Number(versioned[1]), Number(versioned[2])];
  const wanted = `client version ${major}.${minor} is too`;
  if (major > 1 || minor > apiVersions.newest) throw failure('invalid-argument', { act: `${wanted} new. Maximum supported API version is ${newestVersion}` });
  if (major < 1 || minor < apiVersions.oldest) throw failure('invalid-argument', { act: `${wanted} old. Minimum supported API version is 1.${apiVersions.oldest}, please upgrade your client to a newer version` });
  return { path: versioned?.[3] ?? whole, apiVersion: minor, query: new URLSearchParams(query) };
}

export interface Found<T> {
  readonly entry: T;
  readonly params: ReadonlyMap<string, string>;
}

/** Entries with a `route` such as `GET /images/{name…}/json`, looked through in their order. */
export class Routes<T extends { readonly route: string }> {
  readonly #routes: readonly { readonly entry: T; readonly method: string; readonly form: RegExp; readonly names: readonly string[] }[];

  constructor(entries: readonly T[]) {
    this.#routes = entries.map((entry) => {
      const [method = '', template = ''] = entry.route.split(' ');
      const names = [...template.matchAll(/\{(\w+)…?\}/g)].map(([, name]) => name!);
      const form = template.split(/(\{\w+…?\})/).map((part) => (part.startsWith('{') ? (part.includes('…') ? '(.+)' : '([^/]+)') : part.replaceAll('.', '\\.'))).join('');
      return { entry, method, form: new RegExp(`^${form}$`), names };
    });
  }

  /** Undefined when there is none. A path that is not well encoded is invalid-argument. */
  find(method: string, path: string): Found<T> | undefined {
    const wanted = method === 'HEAD' ? ['HEAD', 'GET'] : [method];
    for (const { entry, method: own, form, names } of this.#routes) {
      const match = wanted.includes(own) ? form.exec(path) : null;
      if (match !== null) return { entry, params: new Map(names.map((name, index) => [name, decoded(match[index + 1]!)])) };
    }
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw failure('invalid-argument', { act: 'read path', object: JSON.stringify(text), why: 'it is not well encoded', cause: error });
  }
}
