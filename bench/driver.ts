/** The workload: the same calls, in the same order, to any CRI runtime; times in milliseconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { containerConfig, podConfig } from '../test/support/cri-messages.ts';
import { removePods } from '../test/support/daemon.ts';
import type { PodSandboxConfig } from '../src/gen/cri.ts';
import { cpuMsOf, pssOf } from './proc.ts';
import { workload, type Subject } from './subject.ts';

export interface PodTimes {
  readonly runPod: number;
  readonly create: number;
  readonly start: number;
  /** The three above together. */
  readonly podStart: number;
  readonly execSync: readonly number[];
  readonly stop: number;
  readonly remove: number;
}

interface RunningPod {
  readonly id: string;
  readonly config: PodSandboxConfig;
}

let serial = 0;

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const began = performance.now();
  const result = await work();
  return [result, performance.now() - began];
}

async function runPod({ client, logs, cgroupParent }: Subject): Promise<RunningPod> {
  serial++;
  const config = podConfig({ name: `bench-${serial}`, logDirectory: `${logs}/bench-${serial}`, cgroupParent });
  const { podSandboxId: id } = await client.runPodSandbox({ config });
  return { id, config };
}

async function createContainer({ client }: Subject, pod: RunningPod, image: string, name = 'main'): Promise<string> {
  const config = containerConfig({ name, image, command: workload });
  const { containerId } = await client.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  return containerId;
}

/** One pod with one container from nothing to nothing, with some ExecSyncs of `true` between. */
export async function podLife(subject: Subject, image: string, execs = 5): Promise<PodTimes> {
  const { client } = subject;
  const [pod, runPodMs] = await timed(() => runPod(subject));
  const [containerId, create] = await timed(() => createContainer(subject, pod, image));
  const [, start] = await timed(() => client.startContainer({ containerId }));
  const execSync: number[] = [];
  for (let n = 0; n < execs; n++) {
    const [{ exitCode }, ms] = await timed(() => client.execSync({ containerId, cmd: ['true'], timeout: 10n }));
    if (exitCode !== 0) throw new Error(`${subject.name}: ExecSync true ended with ${exitCode}`);
    execSync.push(ms);
  }
  const [, stop] = await timed(() => client.stopPodSandbox({ podSandboxId: pod.id }));
  const [, remove] = await timed(() => client.removePodSandbox({ podSandboxId: pod.id }));
  return { runPod: runPodMs, create, start, podStart: runPodMs + create + start, execSync, stop, remove };
}

/** Makes one pod with so many created (not started) containers: the state that lists are measured in. */
export async function fillWithContainers(subject: Subject, image: string, count: number): Promise<void> {
  const pod = await runPod(subject);
  for (let n = 0; n < count; n++) await createContainer(subject, pod, image, `listed-${n}`);
}

/** One ListContainers; throws when the runtime does not know as many as there must be. */
export async function listContainers({ client, name }: Subject, count: number): Promise<number> {
  const [{ containers }, ms] = await timed(() => client.listContainers());
  if (containers.length !== count) throw new Error(`${name}: ListContainers knows ${containers.length} containers, not ${count}`);
  return ms;
}

/** Bytes of daemon and helpers that a running pod of one container costs, over `pods` pods. Removes them after. */
export async function memoryPerPod(subject: Subject, image: string, pods: number): Promise<number> {
  const before = await settledMemory(subject);
  for (let n = 0; n < pods; n++) {
    const pod = await runPod(subject);
    const containerId = await createContainer(subject, pod, image);
    await subject.client.startContainer({ containerId });
  }
  const after = await settledMemory(subject);
  await removePods(subject.client);
  return (after - before) / pods;
}

/** Memory of daemon and helpers in bytes, after a second of rest. */
async function settledMemory(subject: Subject): Promise<number> {
  await sleep(1000);
  return pssOf(helperPids(subject));
}

/** What the runtime costs that has nothing to do: bytes, and percent of one processor over `seconds`. */
export async function idleCost(subject: Subject, seconds: number): Promise<{ bytes: number; cpuPercent: number }> {
  const pids = helperPids(subject);
  const before = cpuMsOf(pids);
  await sleep(seconds * 1000);
  return { bytes: pssOf(pids), cpuPercent: (cpuMsOf(pids) - before) / (seconds * 10) };
}

/** Everything but the containers' own processes. */
function helperPids(subject: Subject): number[] {
  const own = workload.join(' ');
  return subject.processes().filter(({ command }) => command !== own).map(({ pid }) => pid);
}
