import type { Duplex } from 'node:stream';
import { failure, hasCode, isKind } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import { connectToLoopback } from '../../host/connect-in-namespace.ts';
import { podName, usesHostNetwork } from '../../part/spec/pod-config.ts';
import type { DockerDeps } from '../docker-deps.ts';
import type { PodRecord } from '../records.ts';
import { networkPin } from './pod-places.ts';

/** A program on the same node answers at once, or its queue is full. */
const deadlineMs = 10_000;

/** Throws failed-precondition unless the pod is READY. */
export function checkPortForward(pod: PodRecord): void {
  if (!pod.ready) throw failure('failed-precondition', { act: 'forward port of pod', object: podName(pod.config), why: 'it is not ready' });
}

/** Connects to a port of the pod's own loopback without starting a process there; in the host's network, to the node's. Errors: see StreamEngine. */
export async function forwardPort(deps: DockerDeps, pod: PodRecord, port: number, { signal }: Pick<CallContext, 'signal'>): Promise<Duplex> {
  checkPortForward(pod);
  const act = { act: `forward port ${port} of pod`, object: podName(pod.config) };
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw failure('invalid-argument', { ...act, why: 'a port is a number from 1 to 65535' });
  const namespace = usesHostNetwork(pod.config) ? undefined : networkPin(deps.roots.state, pod.id);
  try {
    return await connectToLoopback({ namespace, port, deadlineMs, signal });
  } catch (cause) {
    if (hasCode(cause, 'ECONNREFUSED')) throw failure('unavailable', { ...act, why: `nobody listens on port ${port} of 127.0.0.1 or ::1 in it`, cause });
    if (isKind(cause, 'deadline-exceeded')) throw failure('unavailable', { ...act, why: `what listens there does not answer within ${deadlineMs / 1000} s`, cause });
    if (isKind(cause, 'cancelled')) throw failure('cancelled', { ...act, why: 'the client went away', cause });
    if (isKind(cause, 'not-found')) throw failure('failed-precondition', { ...act, why: 'it was stopped meanwhile', cause });
    throw failure(hasCode(cause, 'EMFILE') ? 'resource-exhausted' : 'unavailable', { ...act, cause });
  }
}
