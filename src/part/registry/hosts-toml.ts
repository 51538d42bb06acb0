/**
 * containerd's `hosts.toml`: the hosts that serve a registry, in order, each with what it may be asked and how to talk to it
 * (containerd "Registry Configuration", the certs.d layout).
 */
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { failure } from '../../base/errors.ts';
import type { ClientCertificate, HostRule } from './host-rules.ts';

export interface ListedHost {
  readonly address: string;
  /** Below which `manifests` and `blobs` of a repository are: `/v2`, or what the file overrides it with. */
  readonly apiPath: string;
  readonly rule: HostRule;
  /** Turns tags into digests. */
  readonly resolves: boolean;
  /** Serves what a digest names. */
  readonly pulls: boolean;
}

export interface HostsFile {
  /** Asked in this order. */
  readonly hosts: readonly ListedHost[];
  /** Asked last; undefined: the registry that the folder is named after, with `serverRule`. */
  readonly server: ListedHost | undefined;
  /** What the file says about the registry itself without naming it. */
  readonly serverRule: Omit<HostRule, 'schemes'>;
}

/** Parses the file at `path`; relative certificate paths are from its folder. What can't be understood is failed-precondition. */
export function parseHostsToml(text: string, path: string): HostsFile {
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read registry hosts file', object: path, why, cause });
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message.split('\n', 1)[0] ?? '' : String(cause), cause);
  }
  const host = document['host'] ?? {};
  if (typeof host !== 'object' || host === null || Array.isArray(host)) throw refuse('hosts are written as [host."https://…"]');
  const folder = dirname(path);
  const { server } = document;
  if (server !== undefined && typeof server !== 'string') throw refuse('server must be a string');
  const read = (address: string, settings: unknown): ListedHost => readHost({ address, settings: settings as Record<string, unknown>, folder, refuse: (why) => refuse(`${address}: ${why}`) });
  return {
    hosts: Object.entries(host).map(([address, settings]) => read(address, settings)),
    server: server === undefined || server === '' ? undefined : read(server, document),
    serverRule: readRule({ address: 'server', settings: document, folder, refuse }),
  };
}

interface HostTable {
  readonly address: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly folder: string;
  readonly refuse: (why: string) => Error;
}

function readHost(table: HostTable): ListedHost {
  const { address, settings, refuse } = table;
  const url = URL.parse(address.includes('://') ? address : `https://${address}`);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.host === '') throw refuse('it is not the address of a host, such as https://mirror.example:5000');
  const path = url.pathname.replace(/\/+$/, '');
  const overrides = flag(table, 'override_path');
  const capabilities = texts(table, 'capabilities') ?? ['pull', 'resolve'];
  if (settings['capabilities'] !== undefined && capabilities.some((each) => !['pull', 'resolve', 'push'].includes(each))) throw refuse('capabilities are pull, resolve and push');
  return {
    address: url.host,
    apiPath: overrides || path.endsWith('/v2') ? path : `${path}/v2`,
    rule: { schemes: [url.protocol === 'http:' ? 'http' : 'https'], ...readRule(table) },
    resolves: capabilities.includes('resolve'),
    pulls: capabilities.includes('pull'),
  };
}

function readRule(table: HostTable): Omit<HostRule, 'schemes'> {
  const caFiles = texts(table, 'ca')?.map((file) => resolve(table.folder, file));
  const clientCertificates = readClients(table);
  const headers = readHeaders(table);
  const connectMs = readDuration(table);
  return {
    ...(caFiles === undefined ? {} : { caFiles }),
    ...(clientCertificates.length === 0 ? {} : { clientCertificates }),
    ...(flag(table, 'skip_verify') ? { skipVerify: true } : {}),
    ...(headers === undefined ? {} : { headers }),
    ...(connectMs === undefined ? {} : { connectMs }),
  };
}

// "one.pem", ["one.pem", "two.pem"], or pairs: [["one.cert", "one.key"], …]
function readClients({ settings, folder, refuse }: HostTable): ClientCertificate[] {
  const { client } = settings;
  if (client === undefined) return [];
  const at = (file: unknown): string => {
    if (typeof file !== 'string' || file === '') throw refuse('client must be a file, a list of files, or a list of pairs of certificate and key');
    return resolve(folder, file);
  };
  return (Array.isArray(client) ? client : [client]).map((entry: unknown) => {
    if (!Array.isArray(entry)) return { certFile: at(entry) };
    return entry[1] === undefined || entry[1] === '' ? { certFile: at(entry[0]) } : { certFile: at(entry[0]), keyFile: at(entry[1]) };
  });
}

function readHeaders({ settings, refuse }: HostTable): Record<string, string> | undefined {
  const { header } = settings;
  if (header === undefined) return undefined;
  if (typeof header !== 'object' || header === null) throw refuse('header must be a table');
  return Object.fromEntries(Object.entries(header).map(([name, value]: [string, unknown]) => {
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((each) => typeof each === 'string')) throw refuse(`header ${name} must be a string or a list of strings`);
    return [name.toLowerCase(), values.join(', ')];
  }));
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

function readDuration({ settings, refuse }: HostTable): number | undefined {
  const value = settings['dial_timeout'];
  if (value === undefined) return undefined;
  const [, number, unit] = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value) ?? [] : [];
  if (number === undefined || unit === undefined) throw refuse('dial_timeout must be a duration such as "3s"');
  return Number(number) * unitMs[unit]!;
}

function texts({ settings, refuse }: HostTable, key: string): string[] | undefined {
  const value = settings[key];
  if (value === undefined) return undefined;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((each): each is string => typeof each === 'string')) throw refuse(`${key} must be a string or a list of strings`);
  return list;
}

function flag({ settings, refuse }: HostTable, key: string): boolean {
  const value = settings[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw refuse(`${key} must be true or false`);
}
