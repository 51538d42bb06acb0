import { during } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import { checkDriver } from '../../part/snapshot/choose-snapshotter.ts';
import { duringOnce } from '../container/during-once.ts';
import { checkPodConfig } from '../../part/spec/check-pod-config.ts';
import { podGround } from '../container/node-defaults.ts';
import type { PodGround } from '../container/node-defaults.ts';
import { checkSandbox } from './check-sandbox.ts';
import type { PodDeps } from './pod-deps.ts';
import { checkCgroupParent, makeCgroup } from './pod-cgroup.ts';
import { makeFiles } from './pod-files.ts';
import { mapLayers } from './pod-layers.ts';
import { makeNamespaces } from './pod-namespaces.ts';
import { attachNetwork } from './pod-network.ts';
import { startInfra } from './infra-process.ts';
import { selinuxLevel } from './selinux-level.ts';
import type { PodRecord } from './pod-record.ts';
import { podIdMappings, podKey, podName } from '../../part/spec/pod-config.ts';

export interface RunPodRequest {
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
}

/** What the steps of one run share. */
export interface PodInTheMaking {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly handler: string;
  readonly selinuxLevel: string | undefined;
  /** What the handler has in place of the node's, at this moment. */
  readonly ground: PodGround;
}

/**
 * Makes a pod. Each step puts its effect on record before making it, so a failure here, or the recovery after a crash, undoes
 * all of them; only `record` makes the pod known.
 */
export async function runPod(deps: PodDeps, request: RunPodRequest, ctx: CallContext): Promise<string> {
  checkPodConfig(request.config);
  checkCgroupParent(deps, request.config);
  const runtime = await handlerOf(deps, request.runtimeHandler);
  const handler = runtime.name;
  checkSandbox(runtime, request.config);
  const ground = podGround(deps.defaults(), handler);
  await checkDriver(ground.snapshotter, `runtime.handlers.${handler}.snapshotter`, deps.snapshotters);
  if (podIdMappings(request.config) !== undefined) await deps.userNamespaces.check(runtime);
  return await deps.running.run(podKey(request.config), async () => {
    const same = findReadyPod(deps, request.config);
    if (same !== undefined) return same.id;
    const id = deps.ids.make();
    const pod: PodInTheMaking = { id, config: request.config, handler, ground, selinuxLevel: selinuxLevel(deps.selinux, { id, config: request.config }) };
    deps.making.add(pod.id);
    try {
      await ctx.stages.run('files', () => makeFiles(deps, pod));
      await ctx.stages.run('namespaces', () => makeNamespaces(deps, pod));
      await ctx.stages.run('layers', () => mapLayers(deps, pod));
      const ips = await ctx.stages.run('network', () => attachNetwork(deps, pod, ctx.stages));
      const cgroupParent = await ctx.stages.run('cgroup', () => makeCgroup(deps, pod));
      const infra = await ctx.stages.run('infra', () => startInfra(deps, pod, cgroupParent));
      await ctx.stages.run('record', () => record(deps, pod, { runtimeHandler: request.runtimeHandler, ips, cgroupParent, infra }));
      return pod.id;
    } catch (error) {
      await deps.effects.rollback(pod.id);
      throw duringOnce(error, { act: 'run pod', object: podName(request.config) });
    } finally {
      deps.making.delete(pod.id);
      deps.selinux?.levels.settle(pod.id);
    }
  });
}

async function handlerOf(deps: PodDeps, asked: string): Promise<OciRuntime> {
  try {
    return await deps.handlers.known(asked);
  } catch (error) {
    throw during(error, { act: 'check', object: 'runtime_handler' });
  }
}

function findReadyPod(deps: PodDeps, config: PodSandboxConfig): PodRecord | undefined {
  const key = podKey(config);
  return deps.records.all().find((record) => podKey(record.config) === key && deps.isReady(record));
}

function record(deps: PodDeps, pod: PodInTheMaking, made: Pick<PodRecord, 'runtimeHandler' | 'ips' | 'cgroupParent' | 'infra'>): void {
  deps.records.put(pod.id, {
    id: pod.id,
    config: pod.config,
    handler: pod.handler,
    snapshotter: pod.ground.snapshotter,
    selinuxLevel: pod.selinuxLevel,
    createdAt: BigInt(Date.now()) * 1_000_000n,
    bootId: deps.bootId,
    stopped: false,
    ...made,
  });
}
