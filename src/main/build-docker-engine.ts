/** The composition of the Docker engine: nothing of the native one is built, started or recovered beside it. */
import { join } from 'node:path';
import type { Config } from '../base/config/schema.ts';
import { withoutSecrets } from '../base/config/values.ts';
import { messageOf } from '../base/errors.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import type { Logger } from '../base/log.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { EngineApi } from '../docker/api/engine-api.ts';
import type { EngineInfo } from '../docker/api/engine-answers.ts';
import { createContainerEngine } from '../docker/container/container-engine.ts';
import type { DockerDeps } from '../docker/docker-deps.ts';
import { EngineMirror } from '../docker/engine-mirror.ts';
import { createImageEngine } from '../docker/image/image-engine.ts';
import { LogCopies } from '../docker/log/log-copies.ts';
import { createNodeEngine } from '../docker/node/node-engine.ts';
import { tidy } from '../docker/node/tidy.ts';
import { createPodEngine } from '../docker/pod/pod-engine.ts';
import { createStreamEngine } from '../docker/session/stream-engine.ts';
import { makePrivateDir } from '../host/files.ts';
import { primeThreadPool } from '../host/namespaces.ts';
import { pathThreads } from '../host/path-resolver.ts';
import { UsageMeter } from '../host/usage-meter.ts';
import { detectCgroups } from '../part/cgroup/cgroup-layout.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';
import { Cgroups } from '../part/cgroup/cgroups.ts';
import { createCni } from '../part/cni/network.ts';
import { gatherHostFacts } from '../part/spec/host-facts.ts';
import { buildDefaults } from './build-defaults.ts';
import { trustFiles } from './registry-files.ts';
import type { RunningEngine } from './serve.ts';

/** How long a start waits for an Engine that comes up beside us: after it the node says that it is not ready. */
const startPatienceMs = 10_000;

/** Builds the engine and reads what of ours is in the Docker Engine. One that is too old: failed-precondition; one that is away is waited for in the background. */
export async function buildDockerEngine(config: Config, log: Logger): Promise<RunningEngine> {
  let current = config;
  await primeThreadPool();
  for (const folder of [join(config.root, 'docker'), join(config.state, 'docker'), join(config.state, 'docker', 'pods')]) makePrivateDir(folder);
  let defaults = await buildDefaults(config);
  const hostFacts = gatherHostFacts();
  const layout = detectCgroups();
  const cni = await createCni({ confDir: config.cni.confDir, binDirs: config.cni.binDirs, cacheDir: join(config.root, 'docker', 'cni'), deadlineMs: config.cni.timeout, log });
  const usage = new UsageMeter({ projects: undefined });
  const api = new EngineApi(config.docker.socket);

  let info: Promise<EngineInfo> | undefined;
  let cgroups: Cgroups | undefined;
  const askInfo = (): Promise<EngineInfo> => {
    info ??= api.call<EngineInfo>({ act: { act: 'ask Docker Engine', object: api.socket }, path: '/info' }).catch((error: unknown) => {
      info = undefined;
      throw error;
    });
    return info;
  };
  const cgroupDriver = async (): Promise<CgroupDriver> => ((await askInfo()).CgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs');

  const askCgroups = async (): Promise<Cgroups> => {
    const driver = await cgroupDriver();
    return (cgroups ??= new Cgroups({ layout, driver }));
  };

  const mirror: EngineMirror = new EngineMirror({
    api, root: config.root, log,
    onSynced() {
      [info, cgroups] = [undefined, undefined]; // it may be another Engine than before
      for (const record of mirror.containers.all()) logs.follow(record);
      tidy(deps).catch((error: unknown) => log.warn('tidy up after the Docker Engine was read', { error: messageOf(error) }));
    },
    onChange(_, now) {
      if (now?.kind === 'container') logs.follow(now);
    },
  });
  const logs = new LogCopies({ api, log, find: (id) => mirror.containers.get(id) });
  const deps: DockerDeps = {
    api, mirror, log, hostFacts, cni, usage, logs, cgroupDriver,
    info: askInfo,
    roots: { root: config.root, state: config.state },
    defaults: () => ({ container: defaults.container, sysctls: defaults }),
    cgroups: askCgroups,
    pausePath: config.runtime.pause,
    policy: trustFiles(config).policy,
    pinned: () => current.image.pinned,
    config: () => withoutSecrets(current),
    running: new SingleFlight(), making: new Set(), stopping: new SingleFlight(), removing: new SingleFlight(),
    creating: new SingleFlight(), starting: new SingleFlight(), locks: new KeyedLock(),
  };
  try {
    await mirror.start(startPatienceMs);
  } catch (error) {
    await closeAll();
    throw error;
  }
  if (mirror.shortcoming !== undefined) log.warn('the node is not ready until the Docker Engine answers', { error: mirror.shortcoming });

  async function closeAll(): Promise<void> {
    await mirror.close();
    await logs.close();
    usage.close();
    cni.close();
    await pathThreads.close();
    await api.close();
  }
  return {
    engine: { name: 'docker', pods: createPodEngine(deps), containers: createContainerEngine(deps), images: createImageEngine(deps), node: createNodeEngine(deps), streams: createStreamEngine(deps) },
    close: closeAll,
    async reload(next) {
      const nextDefaults = await buildDefaults(next);
      [current, defaults] = [next, nextDefaults];
      await cni.reload();
    },
  };
}
