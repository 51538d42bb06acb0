/**
 * Which proxy the environment names for an address, by the rules of Go's golang.org/x/net/http/httpproxy, which Docker, containerd, Podman and the kubelet
 * have in common: NO_PROXY takes addresses, CIDR ranges, domains with what is below them, each with a port if one likes, and `*`.
 * Node's own reading of these variables knows no ranges of addresses and takes a domain for that one host.
 */
import { BlockList, isIP } from 'node:net';
import { failure } from '../../base/errors.ts';
import { isLoopback } from './reference.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Proxy {
  /** With its credentials, if it has any: not for messages. */
  readonly url: string;
  /** For people: the variable and the address, without credentials. */
  readonly told: string;
}

/** The proxy for a URL, undefined for a direct connection; this machine's own addresses are never proxied. A variable that names none: failed-precondition. */
export function chooseProxy(url: URL, environment: Environment): Proxy | undefined {
  const names = url.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  const variable = names.find((name) => (environment[name] ?? '') !== '');
  if (variable === undefined) return undefined;
  const noProxy = environment['NO_PROXY'] || environment['no_proxy'] || '';
  return isDirect(url, noProxy) ? undefined : readProxy(variable, environment[variable]!.trim());
}

/** Text without a scheme is an HTTP proxy's host. */
function readProxy(variable: string, text: string): Proxy {
  const refuse = (why: string): Error => failure('failed-precondition', { act: 'choose proxy', object: variable, why });
  const url = URL.parse(/^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === '') throw refuse('it is no URL of a proxy: set it to http://HOST:PORT and start the daemon anew'); // its text may hold a password
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse(`a proxy of the kind ${url.protocol.slice(0, -1)} is not supported, only http and https`);
  return { url: url.href, told: `the proxy ${url.protocol}//${url.host} of ${variable}` };
}

function isDirect(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(url.host)) return true;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy.split(',').some((rule) => matches(rule.trim().toLowerCase(), { host, port }));
}

function matches(rule: string, { host, port }: { host: string; port: string }): boolean {
  if (rule === '*') return true;
  const range = rangeOf(rule);
  if (range !== undefined) return isIP(host) !== 0 && range.check(host, familyOf(host));
  const { name, wantedPort } = splitPort(rule);
  if (name === '' || (wantedPort !== undefined && wantedPort !== port)) return false;
  if (isIP(name) !== 0) return isIP(host) !== 0 && sameAddress(name, host);
  const domain = name.replace(/^\*?\./, '');
  return host.endsWith(`.${domain}`) || (host === domain && name === domain);
}

/** `host:port`, `[address]:port`, or either without a port; an IPv6 address may stand without brackets then. */
function splitPort(rule: string): { name: string; wantedPort: string | undefined } {
  if (isIP(rule) === 6) return { name: rule, wantedPort: undefined };
  const [, name = '', wantedPort] = /^(.*?)(?::([0-9]+))?$/.exec(rule) ?? [];
  return { name: name.replace(/^\[|\]$/g, ''), wantedPort };
}

function sameAddress(one: string, other: string): boolean {
  const list = new BlockList();
  list.addAddress(one, familyOf(one));
  return list.check(other, familyOf(other));
}

function rangeOf(rule: string): BlockList | undefined {
  const [address = '', bits = '', ...rest] = rule.split('/');
  if (isIP(address) === 0 || !/^[0-9]{1,3}$/.test(bits) || rest.length > 0 || Number(bits) > (isIP(address) === 4 ? 32 : 128)) return undefined;
  const range = new BlockList();
  range.addSubnet(address, Number(bits), familyOf(address));
  return range;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
