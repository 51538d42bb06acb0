import { failure } from '../../base/errors.ts';
import type { Migration, Step } from '../migration.ts';

const unit = 'gantry.service';

/** The daemon runs, with the new configuration. It may run beside the old runtime: neither touches what is the other's. */
export const startGantry: Step = {
  name: 'daemon',
  async plan({ outside }) {
    if (await hasUnit(outside)) return [`restart ${unit}, so that it reads its configuration`];
    return (await outside.gantry.answers()) ? ['the daemon runs already, and has to have been started after its configuration was written'] : ['wait for you to start the daemon: gantry serve'];
  },
  async run({ outside, survey }) {
    if (await hasUnit(outside)) await outside.units!.restart(unit);
    if (!(await outside.gantry.answers())) throw failure('failed-precondition', { act: 'reach the daemon', object: outside.gantry.socket, why: 'nobody answers there: start it with gantry serve, then run this again' });
    const driver = await outside.gantry.cgroupDriver();
    if (driver !== undefined && driver !== survey.kubelet.cgroupDriver) {
      throw failure('failed-precondition', { act: 'check the cgroup driver', why: `the kubelet uses ${survey.kubelet.cgroupDriver}, the daemon ${driver}: restart the daemon, so that it reads its configuration, then run this again` });
    }
  },
  async undo() {
    // It may go on running: without the kubelet's calls it does nothing.
  },
};

async function hasUnit(outside: Migration['outside']): Promise<boolean> {
  return (await outside.units?.has(unit)) === true;
}
