import { readFile } from 'node:fs/promises';
import { during, failure, hasCode, messageOf } from '../../base/errors.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { PodSandboxConfig } from '../../gen/cri.ts';
import { splitSysctls, writeSysctls } from '../../host/namespaces.ts';
import { pinNetworkNamespace } from '../../host/pin-network-namespace.ts';
import { rewriteFile } from '../../host/rewrite-file.ts';
import { podAttachment } from '../../part/cni/pod-attachment.ts';
import { badField } from '../../part/spec/check-field.ts';
import { checkPodConfig } from '../../part/spec/check-pod-config.ts';
import { effectiveSysctls } from '../../part/spec/effective-sysctls.ts';
import { podKey, podName, usesHostNetwork } from '../../part/spec/pod-config.ts';
import { resolvConf } from '../../part/spec/resolv-conf.ts';
import type { ContainerInspect } from '../api/engine-answers.ts';
import type { DockerDeps } from '../docker-deps.ts';
import { podLabels } from '../labels.ts';
import { nameAt, podContainerName } from '../names.ts';
import type { PodRecord } from '../records.ts';
import { podRefusals, refuse } from '../refusals.ts';
import { ensureInfraImage } from './infra-image.ts';
import { infraBody } from './infra-body.ts';
import { podDirectory } from './pod-places.ts';
import { removeHalfMadePod } from './remove-pod.ts';

export interface RunPodRequest {
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
}

interface PodInTheMaking {
  readonly id: string;
  readonly config: PodSandboxConfig;
}

/**
 * Makes a pod: an infra container that holds its namespaces, attached to the node's CNI network. Until the last step, which renames it, its name
 * says that it is in the making, so that a failure here or the next start after a crash takes all of it away.
 */
export async function runPod(deps: DockerDeps, request: RunPodRequest, ctx: CallContext): Promise<string> {
  const { config } = request;
  checkPodConfig(config);
  refuse(podRefusals, config, await deps.api.version());
  await checkHandler(deps, request.runtimeHandler);
  return await deps.running.run(podKey(config), async () => {
    const same = findReadyPod(deps, config);
    if (same !== undefined) return same.id;
    try {
      return await make(deps, request, ctx);
    } catch (error) {
      throw during(error, { act: 'run pod', object: podName(config) });
    }
  });
}

async function make(deps: DockerDeps, { config, runtimeHandler }: RunPodRequest, ctx: CallContext): Promise<string> {
  const name = podContainerName(config);
  const image = await ctx.stages.run('files', () => ensureInfraImage(deps.api, deps.pausePath));
  const body = infraBody({
    config, image, handler: runtimeHandler,
    labels: podLabels(deps.roots.root, { config, handler: runtimeHandler }),
    cgroupDriver: await deps.cgroupDriver(),
    sysctls: splitSysctls(effectiveSysctls(config, deps.defaults().sysctls)).now,
    oomScore: { facts: deps.hostFacts, defaults: deps.defaults().container },
  });
  // From before it is there until it is whole or gone nobody may take it for what a killed daemon left.
  deps.making.add(nameAt('making', name));
  let id: string | undefined;
  try {
    id = await ctx.stages.run('infra', () => startInfra(deps, { name, body }, (created) => {
      id = created;
      deps.making.add(created);
    }));
    const pod: PodInTheMaking = { id, config };
    await ctx.stages.run('network', () => attach(deps, pod, ctx));
    await ctx.stages.run('record', () => deps.api.call({ act: { act: 'name infra container', object: name }, method: 'POST', path: `/containers/${pod.id}/rename`, query: { name: nameAt('made', name) } }));
    const made = await deps.mirror.refresh(id);
    if (made?.kind !== 'pod' || !made.ready) throw failure('unavailable', { act: 'start infra container', object: name, why: 'it ended at once, or somebody removed it' });
    return id;
  } catch (error) {
    if (id !== undefined) await removeHalfMadePod(deps, { id, config }).catch((again: unknown) => deps.log.warn('cannot take away a half made pod yet', { pod: id, error: messageOf(again) }));
    throw error;
  } finally {
    deps.making.delete(nameAt('making', name));
    if (id !== undefined) deps.making.delete(id);
  }
}

/** `onCreated` hears the id before the start can fail. */
async function startInfra({ api }: DockerDeps, { name, body }: { readonly name: string; readonly body: object }, onCreated: (id: string) => void): Promise<string> {
  const { Id: id } = await api.call<{ Id: string }>({ act: { act: 'create infra container', object: name }, method: 'POST', path: '/containers/create', query: { name: nameAt('making', name) }, json: body });
  onCreated(id);
  await api.call({ act: { act: 'start infra container', object: name }, method: 'POST', path: `/containers/${id}/start` });
  return id;
}

/** The files of the pod that its containers share through the infra container, and its network. */
async function attach(deps: DockerDeps, { id, config }: PodInTheMaking, ctx: CallContext): Promise<void> {
  const { ResolvConfPath, State } = await deps.api.call<ContainerInspect>({ act: { act: 'inspect container', object: id }, path: `/containers/${id}/json` });
  // The Engine would put options of its own into it, and a kubelet's search paths are its business alone.
  if (ResolvConfPath !== '') await rewriteFile(ResolvConfPath, resolvConf(config.dnsConfig, await nodeResolvConf()));
  if (usesHostNetwork(config)) return;
  if (State.Pid === 0) throw failure('unavailable', { act: 'attach to network', object: id, why: 'its infra container ended at once' });
  const netnsPath = pinNetworkNamespace(State.Pid, podDirectory(deps.roots.state, id));
  await deps.cni.add(podAttachment({ id, netnsPath, config }), { stages: ctx.stages });
  const late = splitSysctls(effectiveSysctls(config, deps.defaults().sysctls)).afterCni;
  if (Object.keys(late).length > 0) writeSysctls({ net: netnsPath }, late);
}

function findReadyPod(deps: DockerDeps, config: PodSandboxConfig): PodRecord | undefined {
  const key = podKey(config);
  return deps.mirror.pods.all().find((pod) => pod.ready && podKey(pod.config) === key);
}

/** A handler is a runtime of the Engine's (daemon.json, `runtimes`). */
async function checkHandler(deps: DockerDeps, handler: string): Promise<void> {
  if (handler === '') return;
  const { Runtimes } = await deps.info();
  if (!Object.hasOwn(Runtimes, handler)) throw badField('runtime_handler', `the Docker Engine has no runtime ${JSON.stringify(handler)}: it has ${Object.keys(Runtimes).join(', ')}; add it to "runtimes" of its daemon.json`);
}

async function nodeResolvConf(): Promise<string> {
  try {
    return await readFile('/etc/resolv.conf', 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
