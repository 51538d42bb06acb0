/** Gantry under measurement: the compiled daemon as a node would run it. */
import { processesOf } from '../test/support/leftovers.ts';
import { startDaemon } from '../test/support/daemon.ts';
import { versionOf } from './peer-containerd.ts';
import type { Subject } from './subject.ts';

export async function startGantry({ runtime, registriesConf }: { runtime: string; registriesConf: string }): Promise<Subject> {
  const daemon = await startDaemon({ runtime, registriesConf });
  const { runtimeVersion } = await daemon.client.version();
  return {
    name: 'Gantry',
    description: `Gantry ${runtimeVersion} with ${versionOf(runtime)}`,
    client: daemon.client,
    cgroupParent: daemon.cgroupParent,
    logs: daemon.paths.logs,
    processes: () => processesOf({ mark: daemon.network.name, dir: daemon.paths.dir }),
    stop: () => daemon.stopAndClean(),
  };
}
