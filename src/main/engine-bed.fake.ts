/**
 * The native engine in the test's own process, over folders, a network and an image that belong to one test file: what root
 * tests of its recipes stand on. It can be closed and built again over the same folders, as a daemon's restart does.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { containerConfig, message, podConfig } from '../../test/support/cri-messages.ts';
import type { ContainerOptions, PodOptions } from '../../test/support/cri-messages.ts';
import type { Daemon } from '../../test/support/daemon.ts';
import { busyboxImage, pushImage } from '../../test/support/image.ts';
import { sweep } from '../../test/support/leftovers.ts';
import { startRegistry } from '../../test/support/registry.ts';
import { makeTestNetwork } from '../../test/support/test-network.ts';
import type { TestNetwork } from '../../test/support/test-network.ts';
import { beginPart } from '../../test/support/test-run.ts';
import type { TestRun } from '../../test/support/test-run.ts';
import { assertNoTraces } from '../../test/support/workload-traces.ts';
import { loadConfig } from '../base/config/load.ts';
import type { Config } from '../base/config/schema.ts';
import { silentLogger } from '../base/log.ts';
import type { Logger } from '../base/log.ts';
import { Stages } from '../base/stages.ts';
import type { CallContext, Engine } from '../engine/engine.ts';
import { ImageSpec } from '../gen/cri.ts';
import type { ContainerConfig, PodSandboxConfig } from '../gen/cri.ts';
import { buildEngine } from './build-engine.ts';
import type { RunningEngine } from './serve.ts';

/** Why these tests cannot run here; false when they can. */
export const skipEngine: string | false = process.getuid?.() === 0 ? false : 'needs root';

/** What a call carries; `signal` is the caller's patience. */
export function call(signal = new AbortController().signal): CallContext {
  return { id: 'test', signal, stages: new Stages(), log: silentLogger };
}

export class EngineBed {
  readonly part: TestRun;
  readonly network: TestNetwork;
  /** In force from the next start on. */
  config: Config;
  /** The image that is there from the start; busybox. */
  readonly image: string;
  #running: RunningEngine | undefined;
  #serial = 0;

  private constructor(part: TestRun, network: TestNetwork, config: Config, image: string) {
    this.part = part;
    this.network = network;
    this.config = config;
    this.image = image;
  }

  /** Makes the folders and pulls the image. `change` is laid over the configuration. */
  static async open(change: (config: Config) => Config = (config) => config, content = busyboxImage()): Promise<EngineBed> {
    const part = beginPart();
    const confDir = join(part.dir, 'net.d');
    const network = makeTestNetwork({ mark: part.mark, confDir, dataDir: join(part.dir, 'ipam') });
    const { config: usual } = await loadConfig({ flags: new Map(), environment: {} });
    const [root, state] = [join(part.dir, 'r'), join(part.dir, 's')];
    for (const folder of [root, state]) mkdirSync(folder, { mode: 0o711 });
    const runtime = { ...usual.runtime, defaultHandler: process.env['RUNTIME'] ?? usual.runtime.defaultHandler };
    const config = change({ ...usual, root, state, runtime, cni: { ...usual.cni, confDir }, registriesConf: join(part.dir, 'none') });
    const registry = await startRegistry();
    try {
      const image = await pushImage(registry, 'test/busybox:1', content);
      const bed = new EngineBed(part, network, config, image);
      await bed.start();
      await bed.engine.images.pull({ image: message(ImageSpec, { image }), auth: undefined, podConfig: undefined }, call());
      return bed;
    } finally {
      await registry.stop();
    }
  }

  get engine(): Engine {
    if (this.#running === undefined) throw new Error('the engine is closed');
    return this.#running.engine;
  }

  async start(log: Logger = silentLogger): Promise<void> {
    this.#running = await buildEngine(this.config, log);
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = undefined;
  }

  /** What a change of configuration does to the running engine. */
  async reload(next: Config): Promise<void> {
    await this.#running!.reload(next);
  }

  /** Changes the records on disk behind a closed engine. `change` gets each value as JSON and returns the new one, or undefined. */
  rewrite(table: 'pod' | 'container', change: (record: Record<string, unknown>) => Record<string, unknown> | undefined): void {
    this.#database((database) => {
      for (const { id, value } of database.prepare(`SELECT id, value FROM record_${table}`).all()) {
        const next = change(JSON.parse(String(value)) as Record<string, unknown>);
        if (next === undefined) database.prepare(`DELETE FROM record_${table} WHERE id = ?`).run(id!);
        else database.prepare(`UPDATE record_${table} SET value = ? WHERE id = ?`).run(JSON.stringify(next), id!);
      }
    });
  }

  /** `owner kind` of every row of the ledger, oldest first. */
  ledger(): { owner: string; kind: string }[] {
    return this.#database((database) => database.prepare('SELECT owner, kind FROM ledger ORDER BY seq').all().map((row) => ({ owner: String(row['owner']), kind: String(row['kind']) })));
  }

  #database<T>(work: (database: DatabaseSync) => T): T {
    const database = new DatabaseSync(join(this.config.root, 'gantry.db'));
    try {
      return work(database);
    } finally {
      database.close();
    }
  }

  podConfig(options: Partial<PodOptions> = {}): PodSandboxConfig {
    const name = options.name ?? `pod-${++this.#serial}`;
    return podConfig({ logDirectory: join(this.part.dir, 'logs', name), cgroupParent: `/${this.part.mark}/${name}`, ...options, name });
  }

  containerConfig(options: Partial<ContainerOptions> & { readonly script?: string } = {}): ContainerConfig {
    const command = options.script === undefined ? ['sleep', '86399'] : ['sh', '-c', options.script];
    return containerConfig({ name: `container-${++this.#serial}`, image: this.image, command, ...options });
  }

  async runPod(options: Partial<PodOptions> = {}): Promise<{ id: string; config: PodSandboxConfig }> {
    const config = this.podConfig(options);
    return { id: await this.engine.pods.run({ config, runtimeHandler: '' }, call()), config };
  }

  async createContainer(podId: string, options: Partial<ContainerOptions> & { readonly script?: string } = {}): Promise<string> {
    return await this.engine.containers.create({ podId, config: this.containerConfig(options), podConfig: undefined }, call());
  }

  async runContainer(podId: string, options: Partial<ContainerOptions> & { readonly script?: string } = {}): Promise<string> {
    const id = await this.createContainer(podId, options);
    await this.engine.containers.start(id, call());
    return id;
  }

  /** The process of a container, as its verbose status tells. */
  async pidOf(containerId: string): Promise<number> {
    const { info } = await this.engine.containers.status(containerId, true);
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  }

  /** The processes of conmon that watch over a container. */
  monitorsOf(containerId: string): number[] {
    return this.#processes().filter(({ command }) => command.includes('conmon') && command.includes(containerId)).map(({ pid }) => pid);
  }

  #processes(): { pid: number; command: string }[] {
    const command = (pid: number): string => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    };
    return globPids().map((pid) => ({ pid, command: command(pid) }));
  }

  async removeAllPods(): Promise<void> {
    for (const { id } of await this.engine.pods.list(undefined)) {
      await this.engine.pods.stop(id, call());
      await this.engine.pods.remove(id, call());
    }
  }

  /** Throws when anything of a pod or container is left on the machine. `ids` are those that no folder tells of any more. */
  async assertNothingLeft(ids: readonly string[] = []): Promise<void> {
    const { dir } = this.part;
    const node = { paths: { dir, root: this.config.root, state: this.config.state }, network: this.network, pid: process.pid, log: () => ids.join(' ') };
    await assertNoTraces(node as unknown as Daemon);
  }

  /** Closes the engine and removes everything, by force. For `after`. */
  async dispose(): Promise<void> {
    try {
      if (this.#running !== undefined) await this.removeAllPods();
    } finally {
      await this.stop();
      await sweep(this.part);
    }
  }
}

function globPids(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Repeats `probe` until it does not throw; at the deadline its last error is thrown. */
export async function eventually<T>(probe: () => Promise<T> | T, deadlineMs = 10_000): Promise<T> {
  for (const end = performance.now() + deadlineMs; ;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await sleep(20);
  }
}

/** The whole life of a pod: one container that is stopped and removed, another that the pod takes with it. */
export async function liveOnePod(engine: Engine, config: { pod: PodSandboxConfig; containers: readonly ContainerConfig[] }): Promise<void> {
  const podId = await engine.pods.run({ config: config.pod, runtimeHandler: '' }, call());
  const ids: string[] = [];
  for (const container of config.containers) {
    const id = await engine.containers.create({ podId, config: container, podConfig: config.pod }, call());
    await engine.containers.start(id, call());
    ids.push(id);
  }
  await engine.containers.execSync(ids[0]!, ['true'], 10, call());
  await engine.containers.stop(ids[0]!, 1, call());
  await engine.containers.remove(ids[0]!, call());
  await engine.pods.stop(podId, call());
  await engine.pods.remove(podId, call());
}
