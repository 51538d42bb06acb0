/**
 * The folder of a registry in a `certs.d` directory, as containerd, Docker and Podman have it: `hosts.toml`, or certificates
 * alone (`*.crt` authorities, `*.cert` with `*.key` what this node shows).
 */
import { join } from 'node:path';
import { failure, hasCode } from '../../base/errors.ts';
import { fencedFiles } from '../../host/fenced-files.ts';
import { parseHostsToml } from './hosts-toml.ts';
import type { HostsFile } from './hosts-toml.ts';
import type { HostRule } from './host-rules.ts';
import { readIfThere } from './read-if-there.ts';

export interface HostFolder {
  readonly path: string;
  readonly hostsFile: HostsFile | undefined;
  /** What the certificates beside it mean for the registry itself. */
  readonly certificates: Pick<HostRule, 'caFiles' | 'clientCertificates'>;
}

/** The first of these directories that has a folder for the host, and where none has, the first with one named `_default`. */
export async function findHostFolder(directories: readonly string[], host: string): Promise<HostFolder | undefined> {
  for (const name of [host, '_default']) {
    for (const directory of directories) {
      const folder = await readHostFolder(join(directory, name));
      if (folder !== undefined) return folder;
    }
  }
  return undefined;
}

async function readHostFolder(path: string): Promise<HostFolder | undefined> {
  const names = await namesIn(path);
  if (names === undefined) return undefined;
  const file = join(path, 'hosts.toml');
  const text = await readIfThere(file, 'registry hosts file');
  return { path, hostsFile: text === undefined ? undefined : parseHostsToml(text, file), certificates: certificatesIn(path, names) };
}

async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return await fencedFiles.list(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw failure('failed-precondition', { act: 'read registry folder', object: path, cause });
  }
}

/** A certificate without its key, or the other way round, is failed-precondition, as with Docker. */
function certificatesIn(path: string, names: readonly string[]): Pick<HostRule, 'caFiles' | 'clientCertificates'> {
  const ending = (suffix: string): string[] => names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  const [authorities, certificates, keys] = [ending('.crt'), ending('.cert'), ending('.key')];
  const alone = [...certificates.filter((name) => !keys.includes(name)).map((name) => `${name}.cert has no ${name}.key`), ...keys.filter((name) => !certificates.includes(name)).map((name) => `${name}.key has no ${name}.cert`)];
  if (alone[0] !== undefined) throw failure('failed-precondition', { act: 'read registry folder', object: path, why: alone[0] });
  return {
    ...(authorities.length === 0 ? {} : { caFiles: authorities.map((name) => join(path, `${name}.crt`)) }),
    ...(certificates.length === 0 ? {} : { clientCertificates: certificates.map((name) => ({ certFile: join(path, `${name}.cert`), keyFile: join(path, `${name}.key`) })) }),
  };
}
