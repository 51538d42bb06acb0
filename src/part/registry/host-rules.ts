/** How a registry host may be contacted. */
import { isLoopback } from './reference.ts';

export type Scheme = 'https' | 'http';

/** PEM files that this node shows to a registry; without `keyFile` the key is in the same file. */
export interface ClientCertificate {
  readonly certFile: string;
  readonly keyFile?: string;
}

export interface HostRule {
  /** Tried in this order; the next one only when the host does not speak the one before. */
  readonly schemes: readonly Scheme[];
  /** More certificate authorities (PEM) to trust for this host, beside the system's. */
  readonly caFiles?: readonly string[];
  readonly clientCertificates?: readonly ClientCertificate[];
  /** Accept any certificate. */
  readonly skipVerify?: boolean;
  /** Sent to this host with every request, and to nobody that it redirects to. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Instead of the usual patience for a connection. */
  readonly connectMs?: number;
}

/** What the rules say about a registry host (with its port, as in the reference). */
export type HostRules = (host: string) => HostRule | Promise<HostRule>;

/** For hosts listed as insecure: any certificate, or none and plain HTTP. */
export const insecureRule: HostRule = { schemes: ['https', 'http'], skipVerify: true };

const secureRule: HostRule = { schemes: ['https'] };

/** Without a word from any file: HTTPS with a certificate that the system trusts; this machine's own addresses may speak what they like. */
export function usualHostRules(host: string): HostRule {
  return isLoopback(host) ? insecureRule : secureRule;
}
