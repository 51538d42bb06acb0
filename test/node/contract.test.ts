/** The engine contract, kept by the native engine. */
import { criContract } from '../../src/engine/cri-contract.suite.ts';
import { startWorkload } from '../support/workload.ts';

criContract('Gantry', {
  peer: false,
  async start() {
    const node = await startWorkload();
    const { client, image, daemon } = node;
    return { client, image, logs: daemon.paths.logs, cgroupParent: daemon.cgroupParent, stop: () => node.stop() };
  },
});
