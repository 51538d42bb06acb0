/** Whether a node has left its old runtime: asked of the node itself, not of the journal. */
import { messageOf } from '../base/errors.ts';
import type { Migration } from './migration.ts';
import { findSocketUsers, podNames } from './socket-users.ts';
import { imagesLeft } from './step/adopt-images.ts';
import { changesOf } from './step/point-kubelet.ts';
import { parseFlags } from './translation/cri-dockerd-flags.ts';

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
    { name: 'the kubelet runs', faults: await kubeletFaults(migration) },
    { name: 'both have one cgroup driver', faults: answers ? driverFaults(survey.kubelet.cgroupDriver, await outside.gantry.cgroupDriver()) : nobody },
    { name: 'the images are here', faults: answers ? (await imagesLeft(outside.gantry.adopt({ ...survey.images, dryRun: true })).catch((error: unknown) => [messageOf(error)])).map((image) => `not adopted: ${image}`) : nobody },
    { name: 'no pod runs in the old runtime', faults: await outside.oldRuntime(survey.record.endpoint).pods().then((pods) => pods.map(({ name }) => `${name} does`), (error: unknown) => [messageOf(error)]) },
    { name: 'nobody uses docker.sock', faults: (await findSocketUsers(await podNames(migration))).map(({ program, pid, where, how, purpose }) => `${program} (${pid}, ${where}) is ${how}${purpose === undefined ? '' : `: ${purpose}`}`) },
  ];
}

async function kubeletFaults({ outside }: Migration): Promise<string[]> {
  const [kubelet] = await outside.programs('kubelet');
  if (kubelet === undefined) return ['it does not run'];
  const startedWith = parseFlags(kubelet.words).get('container-runtime-endpoint');
  return startedWith === undefined || startedWith.replace(/^unix:\/\//, '') === outside.gantry.socket ? [] : [`it was started with --container-runtime-endpoint=${startedWith}`];
}

function driverFaults(kubelet: string, daemon: string | undefined): string[] {
  return daemon === undefined || daemon === kubelet ? [] : [`the kubelet uses ${kubelet}, the daemon ${daemon}`];
}
