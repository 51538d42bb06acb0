import type { ContainerDeps } from '../container/container-deps.ts';
import type { PodDeps } from './pod-deps.ts';

/** Checkpoints are of containers and of pods. */
export interface CheckpointDeps {
  readonly containers: ContainerDeps;
  readonly pods: PodDeps;
}
