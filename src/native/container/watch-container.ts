import { messageOf } from '../../base/errors.ts';
import type { ContainerDeps } from './container-deps.ts';
import type { ContainerRecord } from './container-record.ts';
import { recordExit } from './record-exit.ts';

/** The exit file stays until the end is on record: what a full disk refused is read again after this time. */
const retryMs = 1000;

/** From here on the container's end is noticed and recorded, also when it has ended already. */
export function watchContainer(deps: ContainerDeps, record: Pick<ContainerRecord, 'id' | 'process' | 'monitor'>, conmonExited?: Promise<void>): void {
  deps.exitWatch.watch({
    id: record.id,
    container: record.process,
    conmon: record.monitor,
    ...(conmonExited === undefined ? {} : { conmonExited }),
    onExit: (exit) => {
      recordExit(deps, record.id, exit).catch((error: unknown) => {
        deps.log.error('record the end of a container', { container: record.id, error: messageOf(error), againInMs: retryMs });
        setTimeout(() => watchContainer(deps, record), retryMs).unref();
      });
    },
    onMonitorLost: () => deps.log.warn('container goes on without its monitor', { container: record.id }),
  });
}
