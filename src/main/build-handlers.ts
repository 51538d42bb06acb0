import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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
import { kindByName, runtimeKind } from '../part/oci/runtime-kind.ts';
import type { RuntimeKind } from '../part/oci/runtime-kind.ts';
import type { HandlerSettings } from './remembered-handlers.ts';

export interface BuildRequest {
  readonly settings: Config['runtime'];
  readonly retired: HandlerSettings;
  readonly stateDir: string;
  readonly cgroups: { readonly layout: CgroupLayout; readonly driver: CgroupDriver };
  readonly log: Logger;
  /** Aborted when the handlers are not used any more: those that hang are asked until then. */
  readonly signal: AbortSignal;
}

export interface BuiltHandlers {
  readonly handlers: RuntimeHandlers;
  /** What becomes known later of those that are guesses now: whoever uses the handlers settles them with it. Undefined once nobody wants to know. */
  readonly late: readonly Promise<{ readonly guess: OciRuntime; readonly known: OciRuntime } | undefined>[];
}

/** How long all handlers together may take to say what they are; one that hangs delays no start. */
const momentMs = 2_000;

/** The runtime handlers that the configuration names, and those that it named once, each with a state folder of its own. */
export async function buildHandlers(request: BuildRequest): Promise<BuiltHandlers> {
  const { settings, retired, log, signal } = request;
  const late: BuiltHandlers['late'][number][] = [];
  const asked = (handlers: HandlerSettings) => Object.entries(handlers).map(([name, one]) => ({ name, one, kind: untilKnown(one.path, signal) }));
  const [offered, old] = [asked(settings.handlers), asked(retired)];
  const moment = sleep(momentMs, undefined, { ref: false });
  const build = async ({ name, one, kind }: ReturnType<typeof asked>[number]): Promise<OciRuntime> => {
    const known = await Promise.race([kind, moment]);
    if (known !== undefined) return handlerOf(request, { name, settings: one, kind: known });
    log.warn('this runtime handler does not answer: nothing waits for it, and no pods are made with it until it does', { handler: name, path: one.path });
    const guess = handlerOf(request, { name, settings: one, kind: kindByName(one.path), isGuess: true });
    late.push(kind.then((told) => (told === undefined ? undefined : { guess, known: handlerOf(request, { name, settings: one, kind: told }) })));
    return guess;
  };
  const handlers = new RuntimeHandlers(await Promise.all(offered.map(build)), settings.defaultHandler, await Promise.all(old.map(build)));
  return { handlers, late };
}

/** Each attempt ends after 10 s, so that a program which hung for want of something else is found to run again. */
async function untilKnown(path: string, signal: AbortSignal): Promise<RuntimeKind | undefined> {
  let kind: RuntimeKind | undefined;
  while (kind === undefined && !signal.aborted) kind = await runtimeKind(path, signal);
  return kind;
}

function handlerOf({ stateDir, cgroups, log }: BuildRequest, { name, settings, kind, isGuess = false }: { name: string; settings: HandlerSettings[string]; kind: RuntimeKind; isGuess?: boolean }): OciRuntime {
  const { path, flags, createTimeout } = settings;
  const stateRoot = join(stateDir, 'oci', name);
  makePrivateDir(stateRoot);
  const [crun, gvisor] = [kind === 'crun', kind === 'runsc'];
  const wrapper = crun && needsHybridWrapper(cgroups.layout) ? hybridWrapper(join(cgroups.layout.unified!, 'cgroup.controllers')) : undefined;
  return new OciRuntime({
    name, path, stateRoot, systemdCgroup: cgroups.driver === 'systemd', flags, createTimeoutMs: createTimeout,
    ...(wrapper === undefined ? {} : { createWrapper: wrapper }), chownsStreams: crun || gvisor, sendsTerminal: crun,
    ...(gvisor ? { sandbox: sandboxTraits(flags) } : {}), isGuess, log,
  });
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
