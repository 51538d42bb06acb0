/**
 * Every fault point by name, `*` for what configuration chooses. A test lives a whole life with each point traced: what it
 * passes must be here, and what is here it must pass.
 */

/** The stages of the calls: `RPC/stage`. */
const stages = [
  'RunPodSandbox/files', 'RunPodSandbox/namespaces', 'RunPodSandbox/layers', 'RunPodSandbox/network', 'RunPodSandbox/cni add *', 'RunPodSandbox/cgroup', 'RunPodSandbox/infra', 'RunPodSandbox/record',
  'CreateContainer/image', 'CreateContainer/rootfs', 'CreateContainer/volumes', 'CreateContainer/spec', 'CreateContainer/relabel', 'CreateContainer/runtime create', 'CreateContainer/record',
  'StartContainer/runtime start',
  'ExecSync/exec',
  'UpdateContainerResources/runtime update',
  'StopContainer/signal', 'StopContainer/grace', 'StopContainer/kill',
  'RemoveContainer/kill', 'RemoveContainer/undo',
  'StopPodSandbox/containers', 'StopPodSandbox/network',
  'RemovePodSandbox/containers', 'RemovePodSandbox/network', 'RemovePodSandbox/remove containers', 'RemovePodSandbox/undo',
  'PullImage/resolve', 'PullImage/policy', 'PullImage/config', 'PullImage/layers', 'PullImage/record',
] as const;

const effects = ['pod-directory', 'shm', 'namespaces', 'network', 'cgroup', 'infra', 'bundle', 'writable-layer', 'rootfs', 'image-volume', 'runtime'] as const;

/** Programs that are run, and what for. conmon is the one that outlives its start. */
const programs = ['conmon', 'runtime start', 'runtime kill', 'runtime delete', 'runtime exec', 'runtime update', 'cni add *', 'cni del *'] as const;

/** Single writes to the store; those of one transaction are durable with its `commit`. */
const writes = ['put pod', 'delete pod', 'put container', 'delete container', 'put image', 'delete image', 'put layer', 'delete layer', 'intend', 'clear', 'begin', 'commit'] as const;

/** A layer from its staging directory to its record, and the files that are replaced as a whole. */
const files = ['layer/unpack', 'layer/rename', 'layer/sync', 'layer/record', 'layer/discard', 'file/write', 'file/rename'] as const;

/** Passed only where CRIU works. The start of a container that is restored has its own stages beside those of any other. */
export const checkpointPoints: readonly string[] = [
  'CheckpointContainer/pause', 'CheckpointContainer/capture', 'CheckpointContainer/resume', 'CheckpointContainer/archive',
  'CheckpointPod/pause', 'CheckpointPod/capture', 'CheckpointPod/resume', 'CheckpointPod/archive',
  'CreateContainer/checkpoint', 'CreateContainer/compare', 'CreateContainer/prepare restore', 'StartContainer/restore', 'RestorePod/*',
  ...['checkpoint-images', 'checkpoint-archive', 'paused'].flatMap((kind) => [`make/${kind}`, `undo/${kind}`]),
  ...['pause', 'checkpoint', 'resume', 'state'].map((command) => `program/runtime ${command}`),
];

export const faultPoints: readonly string[] = [
  ...stages,
  ...effects.flatMap((kind) => [`make/${kind}`, `undo/${kind}`]),
  ...programs.map((name) => `program/${name}`),
  ...writes.map((name) => `store/${name}`),
  ...files,
  ...checkpointPoints,
  // With a user namespace only, on handlers that can.
  'make/idmapped-layers', 'undo/idmapped-layers',
];

/** Whether half of the work can be done there. */
export function isTornPoint(point: string): boolean {
  return point === 'file/write';
}
