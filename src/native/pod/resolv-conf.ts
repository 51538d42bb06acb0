import { failure } from '../../base/errors.ts';
import type { DNSConfig } from '../../gen/cri.ts';

/**
 * The resolv.conf of a pod: its own DNS config, or the node's file when it has none (resolv.conf(5)). Every value is one
 * word on one line: what could add a line of its own is invalid-argument.
 */
export function resolvConf(dns: DNSConfig | undefined, nodeFile: string): string {
  if (dns === undefined || (dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0)) return nodeFile;
  const words = (field: keyof DNSConfig): readonly string[] => {
    const bad = dns[field].find((word) => !/^[^\s\0]+$/.test(word));
    if (bad !== undefined) throw failure('invalid-argument', { act: 'run pod', object: `config.dns_config.${field}`, why: `${JSON.stringify(bad.slice(0, 100))} is not one word` });
    return dns[field];
  };
  const lines: string[] = [];
  if (dns.searches.length > 0) lines.push(`search ${words('searches').join(' ')}`);
  for (const server of words('servers')) lines.push(`nameserver ${server}`);
  if (dns.options.length > 0) lines.push(`options ${words('options').join(' ')}`);
  return `${lines.join('\n')}\n`;
}
