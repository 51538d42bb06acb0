import { failure } from '../../base/errors.ts';
import type { DNSConfig } from '../../gen/cri.ts';

/** Every value of a DNS config is one word: what could write a line of its own into resolv.conf is invalid-argument. */
export function checkDnsConfig(dns: DNSConfig | undefined): void {
  for (const field of ['servers', 'searches', 'options'] as const) {
    const bad = dns?.[field].find((word) => !/^[^\s\0]+$/.test(word));
    if (bad !== undefined) throw failure('invalid-argument', { act: 'run pod', object: `config.dns_config.${field}`, why: `${JSON.stringify(bad.slice(0, 100))} is not one word` });
  }
}

/** The resolv.conf of a pod: its own DNS config, which was checked, or the node's file when it has none (resolv.conf(5)). */
export function resolvConf(dns: DNSConfig | undefined, nodeFile: string): string {
  if (dns === undefined || (dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0)) return nodeFile;
  const lines: string[] = [];
  if (dns.searches.length > 0) lines.push(`search ${dns.searches.join(' ')}`);
  for (const server of dns.servers) lines.push(`nameserver ${server}`);
  if (dns.options.length > 0) lines.push(`options ${dns.options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}
