/** Both ends of a migration over the CRI: the daemon that the node is to have, and the runtime that it has. */
import { isKind } from '../../base/errors.ts';
import { AdminService as admin } from '../../gen/admin.ts';
import { CgroupDriver, PodSandboxState, RuntimeServiceService as runtime } from '../../gen/cri.ts';
import type { NewRuntime, OldRuntime, RunningPod } from '../../migrate/outside.ts';
import { connectCri } from './client.ts';
import type { CriClient } from './client.ts';

const podDeadlineMs = 180_000;

/** What makes a node not ready. Another condition is of some pods only. */
const readByKubelet: readonly string[] = ['RuntimeReady', 'NetworkReady'];

/** Connects for each question: the daemon is restarted in between. */
export function newRuntime(socket: string, signal: AbortSignal): NewRuntime {
  const ask = async <T>(question: (cri: CriClient) => Promise<T>): Promise<T> => await asking(socket, signal, question);
  return {
    socket,
    async answers() {
      try {
        await ask((cri) => cri.call(runtime.version, { version: '' }, { act: 'ask for the version' }));
        return true;
      } catch (error) {
        if (isKind(error, 'unavailable') || isKind(error, 'deadline-exceeded')) return false;
        throw error;
      }
    },
    async complaints() {
      const { status } = await ask((cri) => cri.call(runtime.status, { verbose: false }, { act: 'ask for the status' }));
      return (status?.conditions ?? []).filter((condition) => !condition.status && readByKubelet.includes(condition.type)).map(({ type, reason, message }) => `${type} is not so: ${message || reason}`);
    },
    async cgroupDriver() {
      const { linux } = await ask((cri) => cri.call(runtime.runtimeConfig, {}, { act: 'ask for the cgroup driver' }));
      return linux === undefined ? undefined : linux.cgroupDriver === CgroupDriver.SYSTEMD ? 'systemd' : 'cgroupfs';
    },
    async *adopt(source) {
      const cri = await connectCri(socket, signal);
      try {
        yield* cri.stream(admin.adoptImages, source, { act: 'adopt images', object: `of ${source.root}` });
      } finally {
        cri.close();
      }
    },
    pods: async () => await ask((cri) => podsOf(cri)),
    async removePod(id) {
      await ask((cri) => cri.call(runtime.stopPodSandbox, { podSandboxId: id }, { act: 'stop pod', object: id, deadlineMs: podDeadlineMs }));
      await ask((cri) => cri.call(runtime.removePodSandbox, { podSandboxId: id }, { act: 'remove pod', object: id, deadlineMs: podDeadlineMs }));
    },
  };
}

/** A runtime that does not answer any more runs no pods that anybody could stop. */
export function oldCriRuntime(socket: string, signal: AbortSignal, strangers: () => Promise<string[]>): OldRuntime {
  return {
    strangers,
    async pods() {
      try {
        return await asking(socket, signal, (cri) => podsOf(cri, PodSandboxState.SANDBOX_READY));
      } catch (error) {
        if (isKind(error, 'unavailable')) return [];
        throw error;
      }
    },
    stopPod: async (id) => void (await asking(socket, signal, (cri) => cri.call(runtime.stopPodSandbox, { podSandboxId: id }, { act: 'stop pod', object: id, deadlineMs: podDeadlineMs }))),
  };
}

async function podsOf(cri: CriClient, wanted?: PodSandboxState): Promise<RunningPod[]> {
  const { items } = await cri.call(runtime.listPodSandbox, { filter: undefined }, { act: 'list pods' });
  return items.filter(({ state }) => wanted === undefined || state === wanted).map(({ id, metadata }) => ({ id, uid: metadata?.uid ?? '', name: `${metadata?.namespace}/${metadata?.name}` }));
}

async function asking<T>(socket: string, signal: AbortSignal, question: (cri: CriClient) => Promise<T>): Promise<T> {
  const cri = await connectCri(socket, signal);
  try {
    return await question(cri);
  } finally {
    cri.close();
  }
}
