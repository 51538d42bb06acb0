/** How a registry host may be contacted. */
import { isLoopback } from './reference.ts';

export type Scheme = 'https' | 'http';

export interface HostRule {
  /** Tried in this order; the next one only when the host does not speak the one before. */
  readonly schemes: readonly Scheme[];
  /** More certificate authorities (PEM) to trust for this host, beside the system's. */
  readonly caFile?: string;
  /** Accept any certificate. */
  readonly skipVerify?: boolean;
}

/** What the rules say about a registry host (with its port, as in the reference). */
export type HostRules = (host: string) => HostRule;

const insecure: HostRule = { schemes: ['https', 'http'], skipVerify: true };
const secure: HostRule = { schemes: ['https'] };

/**
 * The usual rules: HTTPS with a certificate that the system trusts. Hosts of this machine and those in `insecureRegistries` (host, or
 * host:port) may have any certificate, or none and speak plain HTTP. `caFiles` adds authorities by host.
 */
export function usualHostRules(options: { insecureRegistries?: readonly string[]; caFiles?: Readonly<Record<string, string>> } = {}): HostRules {
  const listed = new Set(options.insecureRegistries);
  return (host) => {
    const caFile = options.caFiles?.[host];
    if (caFile !== undefined) return { ...secure, caFile };
    return isLoopback(host) || listed.has(host) || listed.has(host.replace(/:[0-9]+$/, '')) ? insecure : secure;
  };
}
