/** Pods and containers as the Engine's answers tell of them. Facts only, replaced whole, never changed. */
import { join } from 'node:path';
import { ContainerState } from '../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import { cgroupParentPath } from '../part/cgroup/cgroup-path.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';
import { nanosecondsOf } from './api/engine-answers.ts';
import type { ContainerInspect } from './api/engine-answers.ts';
import { decodedContainerConfig, decodedPodConfig, label } from './labels.ts';
import { stageOf } from './names.ts';
import type { PodStage } from './names.ts';

interface Owned {
  /** The Engine's own id. */
  readonly id: string;
  readonly engine: ContainerInspect;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
}

export interface PodRecord extends Owned {
  readonly kind: 'pod';
  readonly config: PodSandboxConfig;
  /** The handler that the kubelet named. */
  readonly handler: string;
  readonly stage: PodStage;
  readonly ready: boolean;
}

export interface ContainerRecord extends Owned {
  readonly kind: 'container';
  readonly podId: string;
  readonly config: ContainerConfig;
  readonly state: ContainerState;
  readonly exit: { readonly code: number; readonly at: bigint; readonly reason: string; readonly message: string } | undefined;
  readonly startedAt: bigint;
  readonly logPath: string;
}

export type EngineRecord = PodRecord | ContainerRecord;

/** Undefined for a container that is not this daemon's. What was decoded of it before is taken over, as labels never change. */
export function recordOf(engine: ContainerInspect, root: string, before: EngineRecord | undefined): EngineRecord | undefined {
  const labels = engine.Config.Labels ?? {};
  if (labels[label.root] !== root) return undefined;
  const owned = { id: engine.Id, engine, createdAt: nanosecondsOf(engine.Created) };
  const text = labels[label.config] ?? '';
  if (labels[label.kind] === 'pod') {
    const stage = stageOf(engine.Name.slice(1));
    const config = before?.kind === 'pod' ? before.config : decodedPodConfig(text);
    return { ...owned, kind: 'pod', config, handler: labels[label.handler] ?? '', stage, ready: stage === 'made' && isRunning(engine) };
  }
  if (labels[label.kind] !== 'container') return undefined;
  const config = before?.kind === 'container' ? before.config : decodedContainerConfig(text);
  return { ...owned, kind: 'container', podId: labels[label.pod] ?? '', config, state: stateOf(engine), exit: exitOf(engine), startedAt: nanosecondsOf(engine.State.StartedAt), logPath: labels[label.log] ?? '' };
}

/** `created`, `running` or `exited`, for messages. */
export function stateWord({ state }: Pick<ContainerRecord, 'state'>): string {
  return state === ContainerState.CONTAINER_CREATED ? 'created' : state === ContainerState.CONTAINER_RUNNING ? 'running' : 'exited';
}

function isRunning({ State }: ContainerInspect): boolean {
  return ['running', 'paused', 'restarting'].includes(State.Status);
}

/** The Engine leaves a container that it could not start as created, with an exit code and a reason. */
function failedToStart({ State }: ContainerInspect): boolean {
  return State.Status === 'created' && (State.ExitCode !== 0 || State.Error !== '');
}

function stateOf(engine: ContainerInspect): ContainerState {
  if (isRunning(engine)) return ContainerState.CONTAINER_RUNNING;
  return engine.State.Status === 'created' && !failedToStart(engine) ? ContainerState.CONTAINER_CREATED : ContainerState.CONTAINER_EXITED;
}

function exitOf(engine: ContainerInspect): ContainerRecord['exit'] {
  const { ExitCode: code, OOMKilled, FinishedAt, Error: message } = engine.State;
  if (stateOf(engine) !== ContainerState.CONTAINER_EXITED) return undefined;
  if (failedToStart(engine)) return { code, at: nanosecondsOf(FinishedAt) || nanosecondsOf(engine.Created), reason: 'StartError', message };
  return { code, at: nanosecondsOf(FinishedAt), reason: OOMKilled ? 'OOMKilled' : code === 0 ? 'Completed' : 'Error', message };
}

/** Where the Engine puts a container's cgroup, in every hierarchy. */
export function cgroupOf({ engine }: Owned, driver: CgroupDriver): string {
  const parent = engine.HostConfig.CgroupParent;
  if (driver === 'cgroupfs') return join('/', parent === '' ? 'docker' : parent, engine.Id);
  return join(cgroupParentPath('systemd', parent === '' ? 'system.slice' : parent), `docker-${engine.Id}.scope`);
}
