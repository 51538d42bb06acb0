/** The engine contract, kept by the Docker engine: a real dockerd in a folder of its own. */
import { test } from 'node:test';
import { criContract } from '../../src/engine/cri-contract.suite.ts';
import { dockerShortcoming, startDockerEngine } from '../support/docker-engine.ts';
import { startWorkload } from '../support/workload.ts';

if (dockerShortcoming !== undefined) test('Docker engine', (t) => t.skip(dockerShortcoming));
else {
  criContract('Gantry with a Docker Engine', {
    peer: false,
    async start() {
      const docker = await startDockerEngine();
      try {
        const node = await startWorkload({ config: `engine = "docker"\n[docker]\nsocket = "${docker.socket}"\n` });
        const { client, image, daemon } = node;
        return { client, image, logs: daemon.paths.logs, cgroupParent: daemon.cgroupParent, stop: () => node.stop().finally(() => docker.stopAndClean()) };
      } catch (error) {
        await docker.stopAndClean();
        throw error;
      }
    },
  });
}
