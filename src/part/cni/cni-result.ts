/** What a plugin answers to ADD (CNI spec section 5), read into the form of spec 1.1 whatever version it was written in. */
import { isIP } from 'node:net';

import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { atLeast } from './cni-version.ts';
import type { CniVersion } from './cni-version.ts';

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** The network namespace it is in; absent for one on the host. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface CniIp {
  /** With prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface CniRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export interface CniResult {
  readonly cniVersion: '1.1.0';
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

/** A plugin's answer in the network's own version, as the next plugin wants to see it. */
export type RawResult = Readonly<Record<string, unknown>>;

/**
 * Takes a plugin's answer for `version` and returns it as a `prevResult` of that version. A plugin that answers in another
 * version than asked differs in one field that matters: before 1.0.0 each ip says its family.
 */
export function asRawResult(answer: unknown, version: CniVersion): RawResult {
  const result = objectOf(answer, 'the result');
  if ('ip4' in result || 'ip6' in result) throw malformed(`it is of CNI ${String(result['cniVersion'] ?? '0.2.0')}, but ${version} was asked for`);
  if (result['ips'] === undefined || result['ips'] === null) return { ...result, cniVersion: version };
  const ips = listOf(result['ips'], 'ips').map((ip) => {
    const { version: _, ...rest } = objectOf(ip, 'an entry of ips');
    return atLeast(version, '1.0.0') ? rest : { version: familyOf(String(rest['address'])), ...rest };
  });
  return { ...result, cniVersion: version, ips };
}

/** Reads a result into the form of spec 1.1. What is no CIDR address, or points at no interface, is an internal error that quotes it. */
export function readResult(raw: RawResult): CniResult {
  const interfaces = listOf(raw['interfaces'] ?? [], 'interfaces').map((value) => objectOf(value, 'an interface') as unknown as CniInterface);
  return {
    cniVersion: '1.1.0',
    interfaces: interfaces.map(({ sandbox, ...rest }) => (sandbox ? { ...rest, sandbox } : rest)),
    ips: listOf(raw['ips'] ?? [], 'ips').map((value) => readIp(objectOf(value, 'an entry of ips'), interfaces.length)),
    routes: listOf(raw['routes'] ?? [], 'routes').map((value) => objectOf(value, 'a route') as unknown as CniRoute),
    dns: objectOf(raw['dns'] ?? {}, 'dns') as CniDns,
  };
}

function readIp(ip: Readonly<Record<string, unknown>>, interfaces: number): CniIp {
  const { address, gateway, interface: index } = ip;
  if (typeof address !== 'string') throw malformed('an ip has no address');
  familyOf(address);
  if (index !== undefined && !(Number.isInteger(index) && (index as number) >= 0 && (index as number) < interfaces)) throw malformed(`${address} is on interface ${String(index)} of ${interfaces}`);
  return {
    address,
    ...(typeof gateway === 'string' && gateway !== '' ? { gateway } : {}),
    ...(index === undefined ? {} : { interface: index as number }),
  };
}

/** Which address is the primary one: the first that the network names, or the first of a family. */
export type IpPreference = 'cni' | 'ipv4' | 'ipv6';

/**
 * The pod's addresses without prefix length, the primary first, each once: those on the interface named, and those on none.
 * A result that ties no address to that interface (some plugins name the host's side only) is taken to mean them all.
 */
export function podIps(result: CniResult, ifName: string, preference: IpPreference = 'cni'): string[] {
  const own = result.ips.filter((ip) => ip.interface === undefined || result.interfaces[ip.interface]?.name === ifName);
  const addresses = [...new Set((own.length > 0 ? own : result.ips).map((ip) => ip.address.split('/')[0]!))];
  const preferred = addresses.find((address) => (isIP(address) === 4 ? 'ipv4' : 'ipv6') === preference);
  return preferred === undefined ? addresses : [preferred, ...addresses.filter((address) => address !== preferred)];
}

function familyOf(address: string): '4' | '6' {
  const [ip, prefix, ...rest] = address.split('/');
  const family = isIP(ip!);
  const bits = Number(prefix);
  if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? '') || bits > (family === 4 ? 32 : 128)) throw malformed(`${JSON.stringify(address.slice(0, 100))} is no CIDR address`);
  return family === 4 ? '4' : '6';
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is not a list`);
  return value;
}

function malformed(why: string): GantryError {
  return failure('internal', { act: 'read CNI result', why });
}
