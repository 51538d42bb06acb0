import { badField } from './check-field.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciProcess } from './oci-spec.ts';

const smallest = 128 << 10; // ARG_MAX: the kernel leaves that much under any limit
const largest = 6 << 20; // three quarters of the usual stack of 8 MiB
const pointer = 8;
/** For the path of the program, which lies there too, and what a runtime adds to the environment. */
const reserve = 8 << 10;

/**
 * The bytes that execve(2) has for arguments and environment together: a quarter of the stack's soft limit, within bounds. Each text counts
 * with its NUL byte and a pointer.
 */
export function argumentSpace(stackSoftLimit: bigint): number {
  return Math.max(smallest, Math.min(largest, Number(stackSoftLimit / 4n))) - reserve;
}

/** Refuses what the kernel would: a runtime only says `argument list too long`. `fields` names both parts; the larger one is blamed. */
export function checkProcessSize({ args, env, rlimits }: Pick<OciProcess, 'args' | 'env' | 'rlimits'>, fields: { readonly args: string; readonly env: string }, facts: HostFacts): void {
  const [forArgs, forEnv] = [bytesOf(args), bytesOf(env)];
  const stack = rlimits.find(({ type }) => type === 'RLIMIT_STACK')?.soft ?? facts.stackSoftLimit;
  const space = argumentSpace(BigInt(stack));
  if (forArgs + forEnv <= space) return;
  throw badField(forArgs >= forEnv ? fields.args : fields.env, `arguments and environment take ${forArgs + forEnv} bytes, and the kernel passes at most ${space} to a process (a quarter of the stack's limit)`);
}

function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1 + pointer, 0);
}
