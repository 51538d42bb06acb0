/** Whether a node has left its old runtime: asked of the node itself, not of the journal. */
import type { Migration } from './migration.ts';
import { findSocketUsers } from './socket-users.ts';
import { imagesLeft } from './step/adopt-images.ts';
import { changesOf } from './step/point-kubelet.ts';

export interface Check {
  readonly name: string;
  /** What is wrong; none when all is well. */
  readonly faults: readonly string[];
}

export async function verifyMigration(migration: Migration): Promise<Check[]> {
  const { outside, survey } = migration;
  const answers = await outside.gantry.answers();
  const nobody = [`nobody answers at ${outside.gantry.socket}`];
  return [
    { name: 'the daemon is ready', faults: answers ? await outside.gantry.complaints() : nobody },
    { name: "the kubelet's files name Gantry", faults: (await changesOf(migration)).map(({ file }) => `${file} is not as it should be`) },
    { name: 'the kubelet runs', faults: (await outside.programs('kubelet')).length > 0 ? [] : ['it does not run'] },
    { name: 'both have one cgroup driver', faults: answers ? driverFaults(survey.kubelet.cgroupDriver, await outside.gantry.cgroupDriver()) : nobody },
    { name: 'the images are here', faults: answers ? (await imagesLeft(outside.gantry.adopt({ ...survey.images, dryRun: true })).catch((error: unknown) => [String(error)])).map((image) => `not adopted: ${image}`) : nobody },
    { name: 'no pod runs in the old runtime', faults: (await outside.oldRuntime(survey.record.endpoint).pods().catch(() => [])).map(({ name }) => `${name} does`) },
    { name: 'nobody uses docker.sock', faults: (await findSocketUsers()).map(({ program, pid, where, how, purpose }) => `${program} (${pid}, ${where}) is ${how}${purpose === undefined ? '' : `: ${purpose}`}`) },
  ];
}

function driverFaults(kubelet: string, daemon: string | undefined): string[] {
  return daemon === undefined || daemon === kubelet ? [] : [`the kubelet uses ${kubelet}, the daemon ${daemon}`];
}
