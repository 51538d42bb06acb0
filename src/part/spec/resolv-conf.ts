import { isIP } from 'node:net';
import type { DNSConfig } from '../../gen/cri.ts';
import { badField, quote } from './check-field.ts';

/** The longest name in the DNS, RFC 1035; an option of a resolver is shorter still. */
const maxWordBytes = 255;

/**
 * Every value of a DNS config is one word, and a server an address: what could write a line of its own into resolv.conf, or what no
 * resolver would read, is invalid-argument.
 */
export function checkDnsConfig(dns: DNSConfig | undefined): void {
  for (const list of ['servers', 'searches', 'options'] as const) {
    for (const [index, word] of (dns?.[list] ?? []).entries()) {
      const field = `config.dns_config.${list}[${index}]`;
      if (!/^[^\s\0]+$/.test(word)) throw badField(field, `${quote(word)} is not one word`);
      if (Buffer.byteLength(word) > maxWordBytes) throw badField(field, `it is longer than ${maxWordBytes} bytes`);
      if (list === 'servers' && isIP(word) === 0) throw badField(field, `${quote(word)} is not an IP address`);
    }
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
