/** What a Docker daemon's `daemon.json` says about registries. */
import { isIPv4 } from 'node:net';
import { failure } from '../../base/errors.ts';
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
  const refuse = (why: string, cause?: unknown): Error => failure('failed-precondition', { act: 'read Docker configuration', object: path, why, cause });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw refuse('it is not JSON', cause);
  }
  const list = (key: string): string[] => {
    const value = (document as Record<string, unknown> | null)?.[key] ?? [];
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw refuse(`${key} must be a list of strings`);
    return value;
  };
  return { mirrors: list('registry-mirrors'), insecure: list('insecure-registries') };
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
