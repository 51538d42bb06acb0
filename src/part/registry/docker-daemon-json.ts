/** What a Docker daemon's `daemon.json` says about registries. */
import { isIPv4 } from 'node:net';
import { failure, messageOf } from '../../base/errors.ts';
import { ForeignValue } from '../../base/foreign-value.ts';
import { readIfThere } from './read-if-there.ts';

export interface DockerRegistries {
  /** Addresses (URLs) that are asked before Docker Hub. */
  readonly mirrors: readonly string[];
  /** `host`, `host:port`, or a network such as `10.0.0.0/8`. */
  readonly insecure: readonly string[];
}

/** Absent: nothing. A file that is no JSON, or has other values where these belong, is failed-precondition. */
export async function readDockerDaemonJson(path: string): Promise<DockerRegistries> {
  const text = await readIfThere(path, 'Docker configuration');
  if (text === undefined || text.trim() === '') return { mirrors: [], insecure: [] };
  try {
    const settings = new ForeignValue(JSON.parse(text)).members();
    return { mirrors: settings.get('registry-mirrors').texts(), insecure: settings.get('insecure-registries').texts() };
  } catch (cause) {
    throw failure('failed-precondition', { act: 'read Docker configuration', object: path, why: cause instanceof SyntaxError ? 'it is not JSON' : messageOf(cause), cause });
  }
}

/** Whether a registry host, with or without port, is in the list of insecure ones. A network counts for addresses, not for names. */
export function isListedInsecure(insecure: readonly string[], host: string): boolean {
  const name = host.replace(/:[0-9]+$/, '');
  return insecure.some((entry) => (entry.includes('/') ? isWithin(entry, name) : entry === host || entry === name));
}

function isWithin(network: string, address: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  if (!isIPv4(base) || !isIPv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return false;
  const mask = Number(bits) === 0 ? 0 : -1 << (32 - Number(bits));
  return (numberOf(base) & mask) === (numberOf(address) & mask);
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, part) => (number << 8) | Number(part), 0);
}
