import type { RuntimeRpcs } from './rpc.ts';
import { attach } from './runtime-service/attach.ts';
import { checkpointContainer } from './runtime-service/checkpoint-container.ts';
import { checkpointPod } from './runtime-service/checkpoint-pod.ts';
import { containerStats } from './runtime-service/container-stats.ts';
import { containerStatus } from './runtime-service/container-status.ts';
import { createContainer } from './runtime-service/create-container.ts';
import { exec } from './runtime-service/exec.ts';
import { execSync } from './runtime-service/exec-sync.ts';
import { getContainerEvents } from './runtime-service/get-container-events.ts';
import { listContainerStats } from './runtime-service/list-container-stats.ts';
import { listContainers } from './runtime-service/list-containers.ts';
import { listMetricDescriptors } from './runtime-service/list-metric-descriptors.ts';
import { listPodSandbox } from './runtime-service/list-pod-sandbox.ts';
import { listPodSandboxMetrics } from './runtime-service/list-pod-sandbox-metrics.ts';
import { listPodSandboxStats } from './runtime-service/list-pod-sandbox-stats.ts';
import { podSandboxStats } from './runtime-service/pod-sandbox-stats.ts';
import { podSandboxStatus } from './runtime-service/pod-sandbox-status.ts';
import { portForward } from './runtime-service/port-forward.ts';
import { removeContainer } from './runtime-service/remove-container.ts';
import { removePodSandbox } from './runtime-service/remove-pod-sandbox.ts';
import { reopenContainerLog } from './runtime-service/reopen-container-log.ts';
import { restorePod } from './runtime-service/restore-pod.ts';
import { runPodSandbox } from './runtime-service/run-pod-sandbox.ts';
import { runtimeConfig } from './runtime-service/runtime-config.ts';
import { startContainer } from './runtime-service/start-container.ts';
import { status } from './runtime-service/status.ts';
import { stopContainer } from './runtime-service/stop-container.ts';
import { stopPodSandbox } from './runtime-service/stop-pod-sandbox.ts';
import { streamContainerStats } from './runtime-service/stream-container-stats.ts';
import { streamContainers } from './runtime-service/stream-containers.ts';
import { streamPodSandboxMetrics } from './runtime-service/stream-pod-sandbox-metrics.ts';
import { streamPodSandboxStats } from './runtime-service/stream-pod-sandbox-stats.ts';
import { streamPodSandboxes } from './runtime-service/stream-pod-sandboxes.ts';
import { updateContainerResources } from './runtime-service/update-container-resources.ts';
import { updatePodSandboxResources } from './runtime-service/update-pod-sandbox-resources.ts';
import { updateRuntimeConfig } from './runtime-service/update-runtime-config.ts';
import { version } from './runtime-service/version.ts';

/** The RPCs of RuntimeService, one a file. */
export const runtimeService: RuntimeRpcs = {
  // The runtime itself.
  version,
  updateRuntimeConfig,
  status,
  runtimeConfig,

  // Pods.
  runPodSandbox,
  stopPodSandbox,
  removePodSandbox,
  podSandboxStatus,
  listPodSandbox,
  streamPodSandboxes,
  updatePodSandboxResources,

  // Containers.
  createContainer,
  startContainer,
  stopContainer,
  removeContainer,
  listContainers,
  streamContainers,
  containerStatus,
  updateContainerResources,
  reopenContainerLog,

  // Commands and streams.
  execSync,
  exec,
  attach,
  portForward,

  // Checkpoints.
  checkpointContainer,
  checkpointPod,
  restorePod,

  // Stats.
  containerStats,
  listContainerStats,
  streamContainerStats,
  podSandboxStats,
  listPodSandboxStats,
  streamPodSandboxStats,

  // Events and metrics.
  getContainerEvents,
  listMetricDescriptors,
  listPodSandboxMetrics,
  streamPodSandboxMetrics,
};
