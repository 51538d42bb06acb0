import { join } from 'node:path';
import type { Config } from '../base/config/schema.ts';
import type { Logger } from '../base/log.ts';
import { makePrivateDir } from '../host/files.ts';
import type { CgroupLayout } from '../part/cgroup/cgroup-layout.ts';
import type { CgroupDriver } from '../part/cgroup/cgroup-path.ts';
import { hasFlag, hasHostNetwork, withoutNetSysctls } from '../part/oci/gvisor.ts';
import { hybridWrapper } from '../part/oci/hybrid-wrapper.ts';
import { OciRuntime } from '../part/oci/oci-runtime.ts';
import type { SandboxTraits } from '../part/oci/oci-runtime.ts';
import { RuntimeHandlers } from '../part/oci/runtime-handlers.ts';
import { runtimeKind } from '../part/oci/runtime-kind.ts';
import type { HandlerSettings } from './remembered-handlers.ts';

/** The runtime handlers that the configuration names, and those that it named once, each with a state folder of its own. */
export async function buildHandlers(deps: { settings: Config['runtime']; retired: HandlerSettings; stateDir: string; cgroups: { layout: CgroupLayout; driver: CgroupDriver }; log: Logger }): Promise<RuntimeHandlers> {
  const { settings, retired, cgroups } = deps;
  const build = (handlers: HandlerSettings): Promise<OciRuntime[]> => Promise.all(Object.entries(handlers).map(async ([name, { path, flags, createTimeout }]) => {
    const stateRoot = join(deps.stateDir, 'oci', name);
    makePrivateDir(stateRoot);
    const kind = await runtimeKind(path);
    const [crun, gvisor] = [kind === 'crun', kind === 'runsc'];
    const wrapper = crun && needsHybridWrapper(cgroups.layout) ? hybridWrapper(join(cgroups.layout.unified!, 'cgroup.controllers')) : undefined;
    return new OciRuntime({
      name, path, stateRoot, systemdCgroup: cgroups.driver === 'systemd', flags, createTimeoutMs: createTimeout,
      ...(wrapper === undefined ? {} : { createWrapper: wrapper }), chownsStreams: crun || gvisor, sendsTerminal: crun,
      ...(gvisor ? { sandbox: sandboxTraits(flags) } : {}), log: deps.log,
    });
  }));
  return new RuntimeHandlers(await build(settings.handlers), settings.defaultHandler, await build(retired));
}

function sandboxTraits(flags: readonly string[]): SandboxTraits {
  return {
    hostNetwork: hasHostNetwork(flags),
    ociSeccomp: hasFlag(flags, 'oci-seccomp'),
    hostDevices: hasFlag(flags, 'nvproxy') || hasFlag(flags, 'tpuproxy'),
    startWrapper: withoutNetSysctls(),
  };
}

/** Only crun refuses a hybrid host whose cgroup2 side still owns a controller. */
function needsHybridWrapper(layout: CgroupLayout): boolean {
  return layout.mode === 'hybrid' && layout.unifiedControllers.length > 0;
}
