/**
 * containerd's `hosts.toml`: the hosts that serve a registry, in order, each with what it may be asked and how to talk to it
 * (containerd "Registry Configuration", the certs.d layout).
 */
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { failure, messageOf } from '../../base/errors.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
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

/** Parses the file at `path`; relative certificate paths are from its folder. What can't be understood is failed-precondition, naming file and setting. */
export function parseHostsToml(text: string, path: string): HostsFile {
  try {
    return readHostsFile(new ForeignValue(parse(text)), dirname(path));
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read registry hosts file', object: path, why: messageOf(cause).split('\n', 1)[0] ?? '', cause });
  }
}

function readHostsFile(file: ForeignValue, folder: string): HostsFile {
  const hosts = file.members().get('host').members();
  const server = file.members().get('server').textOr('');
  return {
    hosts: hosts.names.map((address) => readHost(hosts.get(address), address, folder)),
    server: server === '' ? undefined : readHost(file, server, folder),
    serverRule: readRule(file, folder),
  };
}

function readHost(table: ForeignValue, address: string, folder: string): ListedHost {
  const url = URL.parse(address.includes('://') ? address : `https://${address}`);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.host === '') throw new Error(`${address}: it is not the address of a host, such as https://mirror.example:5000`);
  const path = url.pathname.replace(/\/+$/, '');
  const settings = table.members();
  const overrides = settings.get('override_path').flagOr(false);
  const capabilities = settings.get('capabilities').absent ? ['pull', 'resolve'] : oneOrMore(settings.get('capabilities')).map((each) => each.oneOf(['pull', 'resolve', 'push']));
  return {
    address: url.host,
    apiPath: overrides || path.endsWith('/v2') ? path : `${path}/v2`,
    rule: { schemes: [url.protocol === 'http:' ? 'http' : 'https'], ...readRule(table, folder) },
    resolves: capabilities.includes('resolve'),
    pulls: capabilities.includes('pull'),
  };
}

function readRule(table: ForeignValue, folder: string): Omit<HostRule, 'schemes'> {
  const settings = table.members();
  const caFiles = oneOrMore(settings.get('ca')).map((file) => resolve(folder, file.text()));
  const clientCertificates = oneOrMore(settings.get('client')).map((client) => readClient(client, folder));
  const headers = settings.get('header');
  const connectTime = settings.get('dial_timeout');
  return {
    ...(caFiles.length === 0 ? {} : { caFiles }),
    ...(clientCertificates.length === 0 ? {} : { clientCertificates }),
    ...(settings.get('skip_verify').flagOr(false) ? { skipVerify: true } : {}),
    ...(headers.absent ? {} : { headers: readHeaders(headers) }),
    ...(connectTime.absent ? {} : { connectMs: readDuration(connectTime) }),
  };
}

// "one.pem", ["one.pem", "two.pem"], or pairs: [["one.cert", "one.key"], …]
function readClient(client: ForeignValue, folder: string): ClientCertificate {
  const [certificate = client, key] = client.isList ? client.items() : [client];
  const keyFile = key?.textOr('') ?? '';
  if (certificate.text() === '') throw certificate.wants('the file of a certificate');
  return { certFile: resolve(folder, certificate.text()), ...(keyFile === '' ? {} : { keyFile: resolve(folder, keyFile) }) };
}

function readHeaders(value: ForeignValue): Record<string, string> {
  const headers = value.members();
  return Object.fromEntries(headers.names.map((name) => [name.toLowerCase(), oneOrMore(headers.get(name)).map((each) => each.text()).join(', ')]));
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

function readDuration(value: ForeignValue): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value.text()) ?? [];
  if (number === undefined) throw value.wants('a duration such as "3s"');
  return Number(number) * unitMs[unit]!;
}

/** Where the file's format allows a value alone in place of a list of them. */
function oneOrMore(value: ForeignValue): readonly ForeignValue[] {
  return value.absent || value.isList ? value.items() : [value];
}
