/** The document that says which archive of a pod's checkpoint is of which container, under the name and in the form that Podman coined and checkpointctl reads. */
import { badCheckpoint, jsonOf } from './documents.ts';

/** `request`: what pod and containers were asked for with, as a RestorePodRequest in protobuf, for who wants the same again; a restore does not look at it. */
export const podNames = { options: 'pod.options', config: 'pod.dump', request: 'request.pb' } as const;

/** 1 is the form without any further fields. */
const version = 1;

/** `archives`: container name to the archive's file name without its `.tar`. */
export function formatPodOptions(archives: ReadonlyMap<string, string>): Buffer {
  return jsonOf({ version, containers: Object.fromEntries(archives), annotations: { 'org.criu.checkpoint.engine.name': 'gantry' } });
}

/** Container name to archive file. A name that leads out of the checkpoint's directory is failed-precondition, as all that cannot be understood. */
export function parsePodOptions(bytes: Buffer): Map<string, string> {
  const value = read(bytes);
  if (value?.version !== version) throw badCheckpoint(`${podNames.options} has not version ${version}`);
  if (typeof value.containers !== 'object' || value.containers === null) throw badCheckpoint(`${podNames.options} names no containers`);
  return new Map(Object.entries(value.containers).map(([container, archive]) => {
    if (typeof archive !== 'string' || !/^[A-Za-z0-9][-._A-Za-z0-9]{0,250}$/.test(archive)) throw badCheckpoint(`${podNames.options} gives container ${JSON.stringify(container.slice(0, 200))} an archive with a name that is none`);
    return [container, `${archive}.tar`];
  }));
}

function read(bytes: Buffer): { version?: unknown; containers?: unknown } | undefined {
  try {
    return JSON.parse(bytes.toString()) as { version?: unknown; containers?: unknown };
  } catch {
    throw badCheckpoint(`${podNames.options} is no JSON`);
  }
}
