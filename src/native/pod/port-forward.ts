import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { failure, hasCode, isKind } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { connectToAddress, connectToLoopback } from '../../host/connect-in-namespace.ts';
import type { PodDeps } from './pod-deps.ts';
import { podPaths } from './pod-paths.ts';
import type { PodRecord } from './pod-record.ts';
import { podName, usesHostNetwork } from '../../part/spec/pod-config.ts';

/** A program on the same node answers at once, or its queue is full. */
const deadlineMs = 10_000;

/** Throws failed-precondition unless the pod is READY. */
export function checkPortForward(deps: Pick<PodDeps, 'isReady'>, record: PodRecord): void {
  if (!deps.isReady(record)) throw failure('failed-precondition', { act: 'forward port of pod', object: podName(record.config), why: 'it is not ready' });
}

/**
 * Connects to a port of the pod's own loopback without starting a process there; in the host's network, to the node's; under gVisor's own
 * network, to the pod's address. No such port: invalid-argument. Nobody listens, or answers: unavailable.
 */
export async function forwardPort(deps: Pick<PodDeps, 'isReady' | 'roots' | 'handlers'>, record: PodRecord, port: number, { signal }: Pick<CallContext, 'signal'>): Promise<Duplex> {
  checkPortForward(deps, record);
  const act = { act: `forward port ${port} of pod`, object: podName(record.config) };
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw failure('invalid-argument', { ...act, why: 'a port is a number from 1 to 65535' });
  const namespace = usesHostNetwork(record.config) ? undefined : join(podPaths(deps.roots.state, record.id).namespaces, 'net');
  const ownAddress = namespace === undefined ? undefined : addressOfOwnStack(deps, record);
  try {
    return await (ownAddress === undefined ? connectToLoopback({ namespace, port, deadlineMs, signal }) : connectToAddress({ port, deadlineMs, signal }, ownAddress));
  } catch (cause) {
    if (hasCode(cause, 'ECONNREFUSED')) throw failure('unavailable', { ...act, why: `nobody listens on port ${port} of ${ownAddress ?? '127.0.0.1 or ::1'} in it`, cause });
    if (isKind(cause, 'deadline-exceeded')) throw failure('unavailable', { ...act, why: `what listens there does not answer within ${deadlineMs / 1000} s`, cause });
    if (isKind(cause, 'cancelled')) throw failure('cancelled', { ...act, why: 'the client went away', cause });
    if (isKind(cause, 'not-found')) throw failure('failed-precondition', { ...act, why: 'it was stopped meanwhile', cause });
    throw failure(hasCode(cause, 'EMFILE') ? 'resource-exhausted' : 'unavailable', { ...act, cause });
  }
}

/** gVisor has the pod's connections in a kernel of its own, whose loopback nobody outside can reach: only by the pod's address is it reached. */
function addressOfOwnStack({ handlers }: Pick<PodDeps, 'handlers'>, { handler, ips }: PodRecord): string | undefined {
  return handlers.find(handler)?.sandbox?.hostNetwork === false ? ips[0] : undefined;
}
