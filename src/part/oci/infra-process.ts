/**
 * The infra process of a pod whose containers share a PID namespace: it is process 1 there and only collects orphans.
 * It is created like any container (`catatonit -P` bind-mounted into an empty root; the spec is the caller's), by a conmon
 * that keeps no log and gives no stdin: such a process says nothing and hears nothing, but its end has to be noticed,
 * because the namespace ends with it. Start it with `runtime.start`, end it with SIGKILL: process 1 ignores other signals.
 */
import type { Logger } from '../../base/log.ts';
import { createWithConmon } from './conmon.ts';
import type { ConmonRequest, CreatedContainer } from './conmon.ts';

/** Creates the infra process; promises and fails as createWithConmon does. */
export function createInfraProcess(request: Omit<ConmonRequest, 'logPath' | 'stdin' | 'stdinOnce' | 'terminal' | 'asSandbox'>, log: Logger): Promise<CreatedContainer> {
  return createWithConmon({ ...request, logPath: '', stdin: false, stdinOnce: false, terminal: false, asSandbox: true }, log);
}
