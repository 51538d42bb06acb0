import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure } from '../../base/errors.ts';
import { checkIdmappable } from '../../host/idmapped-mount.ts';
import { withUserNamespace } from '../../host/user-namespaces.ts';
import type { OciRuntime } from '../../part/oci/oci-runtime.ts';
import type { ProbeCache } from '../../part/oci/probe-cache.ts';
import { isAtLeast } from '../../part/spec/host-facts.ts';
import type { KernelVersion } from '../../part/spec/host-facts.ts';

/** The first Linux whose overlayfs takes idmapped mounts as lower directories. */
const overlayOverIdmapped: KernelVersion = { major: 5, minor: 19 };

/** What the node is asked with: any map that is not the identity. */
const exampleRange = { containerId: 0, hostId: 65_536, length: 65_536 };

export interface SupportDeps {
  readonly probes: ProbeCache;
  readonly kernel: KernelVersion;
  /** The directory of the images' layers. */
  readonly layers: string;
  /** False where roots are copied for a handler: the copies have mapped owners, so that only the OCI runtime's own mounts have to be mapped. */
  readonly idmapsLayers: (handler: string) => boolean;
  /** The directory that pods' roots are mounted in. */
  readonly state: string;
}

/** Whether pods can have user namespaces here: what kernel, filesystem and OCI runtime have to say to it. */
export class UserNamespaceSupport {
  readonly #deps: SupportDeps;
  #layers: Promise<void> | undefined;

  constructor(deps: SupportDeps) {
    this.#deps = deps;
  }

  /** Throws a failed-precondition that says what is missing. */
  async check(runtime: OciRuntime): Promise<void> {
    const probed = await this.#deps.probes.ask(runtime);
    if ('error' in probed) throw failure('failed-precondition', { act: 'run pod in a user namespace', object: `with handler ${runtime.name}`, why: probed.error });
    if (!probed.idmappedMounts) {
      throw failure('failed-precondition', { act: 'run pod in a user namespace', object: `with handler ${runtime.name}`, why: `${probed.version} cannot make idmapped mounts: take crun 1.8.1 or runc 1.2, or newer` });
    }
    refuseClosedParent(this.#deps.state);
    if (this.#deps.idmapsLayers(runtime.name)) await this.#checkLayers();
  }

  /** The same as an answer. */
  async offeredBy(runtime: OciRuntime): Promise<boolean> {
    return await this.check(runtime).then(() => true, () => false);
  }

  /** Found out once: kernel and mounts do not change while the daemon runs. A refusal is looked at again. */
  async #checkLayers(): Promise<void> {
    this.#layers ??= this.#askLayers();
    try {
      await this.#layers;
    } catch (error) {
      this.#layers = undefined;
      throw error;
    }
  }

  async #askLayers(): Promise<void> {
    const { kernel, layers } = this.#deps;
    if (!isAtLeast(kernel, overlayOverIdmapped)) {
      throw failure('failed-precondition', { act: 'run pod in a user namespace', why: `overlayfs over idmapped layers needs Linux ${overlayOverIdmapped.major}.${overlayOverIdmapped.minor} or newer` });
    }
    await withUserNamespace({ uids: exampleRange, gids: exampleRange }, (userFd) => checkIdmappable(layers, userFd));
  }
}

/** The OCI runtime walks to a container's root with the power of root of the pod, who is nobody on the node. */
function refuseClosedParent(state: string): void {
  for (let folder = state; folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) !== 0) continue;
    throw failure('failed-precondition', { act: 'run pod in a user namespace', object: state, why: `${folder} lets nobody but its owner through: chmod o+x it, or choose another --state` });
  }
}
