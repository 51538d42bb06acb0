import { UsageError } from '../arguments.ts';

export interface PortSpec {
  /** 0: one that is free. */
  readonly local: number;
  readonly remote: number;
}

/** `8080:80`, `80` (the same on both sides), `:80` and `0:80` (a free local port). Anything else is a UsageError. */
export function parsePortSpec(text: string): PortSpec {
  const [, local, remote] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const spec = { local: Number(local ?? remote), remote: Number(remote) };
  if (remote === undefined || spec.remote < 1 || spec.remote > 65535 || spec.local > 65535) {
    throw new UsageError(`${JSON.stringify(text)} is no port to forward: [LOCAL:]REMOTE, such as 8080:80, 80 or :80`);
  }
  return spec;
}
