/** What `gantry play` needs to know about the node it runs on. */
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import type { DnsSettings } from './manifest.ts';
import type { HostFacts } from './pod-facts.ts';

/** With systemd-resolved /etc/resolv.conf names a loopback address, which means nothing in a pod; the real servers are here. */
const resolvConfs = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

export async function hostFacts(): Promise<HostFacts> {
  const addresses = Object.values(os.networkInterfaces()).flatMap((one) => one ?? []).filter((one) => !one.internal && !one.address.startsWith('fe80:'));
  // One of each family, as a kubelet tells them.
  const ofFamily = (family: string) => addresses.filter((one) => one.family === family).slice(0, 1);
  return {
    nodeName: os.hostname(),
    hostIps: [...ofFamily('IPv4'), ...ofFamily('IPv6')].map((one) => one.address),
    memoryBytes: BigInt(os.totalmem()),
    dns: await hostDns(),
  };
}

async function hostDns(): Promise<DnsSettings> {
  let settings: DnsSettings = { servers: [], searches: [], options: [] };
  for (const file of resolvConfs) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    settings = parseResolvConf(text);
    if (settings.servers.some((server) => !server.startsWith('127.') && server !== '::1')) break;
  }
  return settings;
}

/** resolv.conf(5): nameservers add up; of several search lines (domain is the old word) the last counts. */
export function parseResolvConf(text: string): DnsSettings {
  const servers: string[] = [];
  const options: string[] = [];
  let searches: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...values] = line.replace(/[#;].*$/, '').trim().split(/\s+/);
    if (word === 'nameserver' && values[0] !== undefined && net.isIP(values[0].split('%')[0]!) !== 0) servers.push(values[0]);
    if (word === 'search' || word === 'domain') searches = values.filter((one) => one !== '.');
    if (word === 'options') options.push(...values);
  }
  return { servers, searches, options };
}
