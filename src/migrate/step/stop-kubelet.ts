import { failure } from '../../base/errors.ts';
import type { Migration, Step } from '../migration.ts';

const unit = 'kubelet.service';

/** While the kubelet stands still nobody starts anew what is stopped. Back: it is started again, at the very end. */
export const stopKubelet: Step = {
  name: 'kubelet-stop',
  plan: async ({ outside }) => ((await runs(outside)) ? [canStop(outside) ? `stop ${unit}` : 'wait for you to stop the kubelet'] : []),
  run: async ({ outside }) => await stop(outside),
  undo: async ({ outside }) => await start(outside),
};

/** Back: it has to stand still before its files are put back. */
export const startKubelet: Step = {
  name: 'kubelet-start',
  plan: async ({ outside }) => [canStop(outside) ? `start ${unit}` : 'leave it to you to start the kubelet'],
  run: async ({ outside }) => await start(outside),
  undo: async ({ outside }) => await stop(outside),
};

async function stop(outside: Migration['outside']): Promise<void> {
  if (canStop(outside) && (await outside.units!.has(unit))) await outside.units!.stop(unit);
  if (await runs(outside)) throw failure('failed-precondition', { act: 'stop the kubelet', why: 'it runs, and systemd does not know it here: stop it, then run this again' });
}

async function start(outside: Migration['outside']): Promise<void> {
  if (canStop(outside) && (await outside.units!.has(unit))) return await outside.units!.start(unit);
  if (!(await runs(outside))) await outside.say('  start the kubelet now: systemd does not know it here');
}

function canStop(outside: Migration['outside']): boolean {
  return outside.units !== undefined;
}

async function runs(outside: Migration['outside']): Promise<boolean> {
  return (await outside.programs('kubelet')).length > 0;
}
