import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ContainerConfig, ImageSpec, Mount, PodSandboxConfig, RestorePodRequest, RuntimeServiceService as runtime } from '../../../gen/cri.ts';
import { failure } from '../../../base/errors.ts';
import { UsageError, type Arguments } from '../arguments.ts';
import type { CriClient } from '../client.ts';
import type { Command } from '../command.ts';
import { findOne } from '../find.ts';
import { listContainers, listPods, type FoundPod } from '../inventory.ts';
import { say } from '../io.ts';

const deadlineMs = 600_000;
/** In the directory of a pod's checkpoint: what the pod and its containers were asked for with, a RestorePodRequest in protobuf. */
const requestFile = 'request.pb';

export const restore: Command = {
  name: 'restore',
  summary: 'make a container or a pod again of what checkpoint wrote',
  usage: 'gantry restore [flags] PATH [POD]',
  details: [
    'A directory becomes a pod, with the mounts, devices and rights that it was written with: restore only what you trust. An archive becomes a',
    'container in POD. It gets the mounts of --mounts and no others; what it was captured with has to be among them.',
  ].join('\n'),
  flags: [
    { name: 'name', value: 'NAME', help: 'what the pod or the container is to be called (default: as it was; a container "restored")' },
    { name: 'mounts', value: 'LIST', help: "HOST:CONTAINER[:ro], separated by commas: an archive's mounts" },
    { name: 'no-start', help: 'leave containers created' },
  ],
  operands: ['PATH'],
  many: true,
  examples: ['gantry restore /var/tmp/web', 'gantry restore --name client --mounts /srv/data:/data:ro /var/tmp/client.tar default/web'],

  async run(args, { io, connect }) {
    const [given, podWord, ...more] = args.operands;
    if (more.length > 0) throw new UsageError(`one word too many: ${JSON.stringify(more[0])}`);
    const source = path.resolve(given!);
    const isDirectory = (await stat(source).catch((cause: unknown) => {
      throw failure('not-found', { act: 'restore', object: source, cause });
    })).isDirectory();
    if (isDirectory && podWord !== undefined) throw new UsageError('a directory becomes a pod of its own: name no POD');
    if (!isDirectory && podWord === undefined) throw new UsageError('an archive becomes a container in a pod: POD is missing');
    const cri = await connect();
    const made = isDirectory ? await restorePod(cri, source, args) : await restoreContainer(cri, source, { podWord: podWord!, args });
    if (!args.on('no-start')) for (const id of made.containers) await cri.call(runtime.startContainer, { containerId: id }, { act: 'start container', object: id, deadlineMs });
    await say(io, made.id);
    return 0;
  },
};

interface Made {
  readonly id: string;
  readonly containers: readonly string[];
}

async function restorePod(cri: CriClient, source: string, args: Arguments): Promise<Made> {
  if (args.text('mounts') !== undefined) throw new UsageError('--mounts is for archives: a pod has its own');
  const bytes = await readFile(path.join(source, requestFile)).catch((cause: unknown) => {
    throw failure('failed-precondition', { act: 'restore', object: source, why: `it has no ${requestFile}: it is no checkpoint of a pod by gantry`, cause });
  });
  const written = RestorePodRequest.decode(bytes);
  const request = { ...written, checkpointPath: source, config: renamed(written.config ?? PodSandboxConfig.decode(new Uint8Array()), args.text('name')) };
  const { podSandboxId, restoredContainers } = await cri.call(runtime.restorePod, request, { act: 'restore pod', object: source, deadlineMs });
  return { id: podSandboxId, containers: restoredContainers.map(({ containerId }) => containerId) };
}

/** Another pod than the one that was captured, which may still be there: with a uid of its own, and a folder for its logs. */
function renamed(config: PodSandboxConfig, asked: string | undefined): PodSandboxConfig {
  const was = config.metadata ?? { name: '', namespace: '', uid: '', attempt: 0 };
  const [name, uid] = [asked ?? was.name, randomUUID()];
  const logDirectory = config.logDirectory === '' ? '' : path.join(path.dirname(config.logDirectory), `${was.namespace}_${name}_${uid}`);
  return { ...config, metadata: { ...was, name, uid, attempt: 0 }, hostname: config.hostname === was.name ? name : config.hostname, logDirectory };
}

async function restoreContainer(cri: CriClient, source: string, { podWord, args }: { podWord: string; args: Arguments }): Promise<Made> {
  const mounts = mountsOf(args.text('mounts') ?? '');
  const name = args.text('name') ?? 'restored';
  const [pods, containers] = await Promise.all([listPods(cri), listContainers(cri)]);
  const pod = findOne<FoundPod>(podWord, pods, 'find pod');
  const attempts = containers.filter(({ container }) => container.podSandboxId === pod.id && container.metadata?.name === name).map(({ container }) => container.metadata!.attempt);
  const attempt = Math.max(-1, ...attempts) + 1;
  const blank = new Uint8Array();
  const config = { ...ContainerConfig.decode(blank), metadata: { name, attempt }, image: { ...ImageSpec.decode(blank), image: source }, logPath: `${name}/${attempt}.log`, mounts };
  const { containerId } = await cri.call(runtime.createContainer, { podSandboxId: pod.id, config, sandboxConfig: undefined }, { act: 'restore container', object: `${pod.title}/${name}`, deadlineMs });
  return { id: containerId, containers: [containerId] };
}

function mountsOf(list: string): Mount[] {
  return list.split(',').filter((one) => one !== '').map((one) => {
    const [hostPath, containerPath, option, ...more] = one.split(':');
    if (!hostPath?.startsWith('/') || !containerPath?.startsWith('/') || (option !== undefined && option !== 'ro') || more.length > 0) throw new UsageError(`--mounts wants HOST:CONTAINER[:ro] with absolute paths, not ${JSON.stringify(one)}`);
    return { ...Mount.decode(new Uint8Array()), hostPath, containerPath, readonly: option === 'ro' };
  });
}
