/** An engine that answers every call with something recognisable and remembers what it was asked. */
import { PassThrough } from 'node:stream';
import type { CallContext, Engine } from '../../engine/engine.ts';
import { DiskUsageResponse } from '../../gen/admin.ts';
import {
  Container, ContainerResources, ContainerStats, ContainerStatus, FilesystemUsage, Image, PodSandbox, PodSandboxStats, PodSandboxStatus,
  RuntimeConfigResponse, RuntimeFeatures, RuntimeHandler, RuntimeStatus,
} from '../../gen/cri.ts';
import type { SessionOffers } from '../streaming/stream-server.ts';

/** A message with nothing in it but these fields. */
export function only<T extends object>(type: { decode(bytes: Uint8Array): T }, fields: Partial<T> = {}): T {
  return { ...type.decode(new Uint8Array()), ...fields };
}

/** For what has to do with no session. */
export const noSessions: SessionOffers = { offer: () => Promise.reject(new Error('no session was expected')) };

export interface Asked {
  /** `pods.run`, `images.list`, … */
  readonly what: string;
  /** The arguments without the context. */
  readonly args: readonly unknown[];
  readonly ctx: CallContext | undefined;
}

export interface FakeEngine {
  readonly engine: Engine;
  readonly asked: Asked[];
}

/** `other` replaces single methods, to fail, to wait, or to answer with more. */
export function fakeEngine(other: { [Part in keyof Omit<Engine, 'name'>]?: Partial<Engine[Part]> } = {}): FakeEngine {
  const asked: Asked[] = [];
  const info = { detail: 'as asked' };
  const parts: Omit<Engine, 'name'> = {
    pods: {
      run: async () => 'pod-id',
      stop: async () => {},
      remove: async () => {},
      status: async (id, verbose) => ({
        status: only(PodSandboxStatus, { id }), info: verbose ? info : {}, containers: [only(ContainerStatus, { id: 'in-pod' })],
      }),
      list: async () => [only(PodSandbox, { id: 'pod-1' }), only(PodSandbox, { id: 'pod-2' })],
      updateResources: async () => {},
      stats: async (id) => only(PodSandboxStats, { attributes: { id, metadata: undefined, labels: {}, annotations: {} } }),
      listStats: async () => [only(PodSandboxStats)],
      ...other.pods,
    },
    containers: {
      create: async () => 'container-id',
      start: async () => {},
      stop: async () => {},
      remove: async () => {},
      status: async (id, verbose) => ({ status: only(ContainerStatus, { id, resources: only(ContainerResources) }), info: verbose ? info : {} }),
      list: async () => [only(Container, { id: 'container-1' })],
      updateResources: async () => {},
      reopenLog: async () => {},
      execSync: async () => ({ stdout: Buffer.from('out'), stderr: Buffer.from('err'), exitCode: 3 }),
      stats: async (id) => only(ContainerStats, { attributes: { id, metadata: undefined, labels: {}, annotations: {} } }),
      listStats: async () => [only(ContainerStats)],
      ...other.containers,
    },
    checkpoints: {
      container: async () => {},
      pod: async () => {},
      restorePod: async () => ({ podId: 'pod-id', containers: [{ name: 'main', id: 'container-id' }] }),
      ...other.checkpoints,
    },
    images: {
      pull: async () => 'sha256:pulled',
      list: async () => [only(Image, { id: 'sha256:listed', size: 2n ** 40n })],
      status: async ({ image }, verbose) => (image === 'absent' ? undefined : { image: only(Image, { id: image }), info: verbose ? info : {} }),
      remove: async () => {},
      load: async () => [],
      async *adopt() {},
      async *save() {},
      tag: async () => {},
      untag: async (id) => ({ id, removed: true, names: [] }),
      fsInfo: async () => ({ images: [only(FilesystemUsage, { timestamp: 1n })], containers: [only(FilesystemUsage, { timestamp: 2n })] }),
      pulls: async () => [],
      diskUsage: async () => only(DiskUsageResponse),
      ...other.images,
    },
    node: {
      status: async (verbose) => ({
        status: only(RuntimeStatus, { conditions: [{ type: 'RuntimeReady', status: true, reason: '', message: '' }] }),
        handlers: [only(RuntimeHandler, { name: 'crun' })], features: only(RuntimeFeatures, { supplementalGroupsPolicy: true }),
        info: verbose ? info : {},
      }),
      runtimeConfig: async () => only(RuntimeConfigResponse, { linux: { cgroupDriver: 1 } }),
      updatePodCidr: async () => {},
      leaks: async () => ({ leaks: [], debts: [], unseen: [] }),
      clearLeaks: async () => [],
      ...other.node,
    },
    streams: {
      admitExec: async ({ containerId }) => `${containerId}-whole`,
      exec: async () => 0,
      admitAttach: async (containerId) => ({ id: `${containerId}-whole`, tty: true, stdin: false }),
      attach: async () => {},
      admitPortForward: async (podId) => `${podId}-whole`,
      portForward: async () => new PassThrough(),
      ...other.streams,
    },
  };
  const engine = Object.fromEntries(Object.entries(parts).map(([part, methods]) => [part, remembering(part, methods, asked)]));
  return { engine: { name: 'gantry', ...engine } as unknown as Engine, asked };
}

function remembering(part: string, methods: object, asked: Asked[]): object {
  type Method = (...args: unknown[]) => unknown;
  return Object.fromEntries(Object.entries(methods).map(([name, method]: [string, Method]): [string, Method] => [name, (...args) => {
    const ctx = args.find(isContext);
    asked.push({ what: `${part}.${name}`, args: ctx === undefined ? args : args.filter((arg) => arg !== ctx), ctx });
    return method(...args);
  }]));
}

function isContext(value: unknown): value is CallContext {
  return typeof value === 'object' && value !== null && 'stages' in value && 'signal' in value;
}
