/** What a manifest says about itself must hold: mounts name volumes, references name objects and keys, ports do not collide. */
import type { DataKind, DataSources } from './data-sources.ts';
import { allContainers, type ContainerSpec, type EnvVar, type Manifest, type PodManifest, type VolumeSpec } from './manifest.ts';

const kindName: Readonly<Record<DataKind, string>> = { configMap: 'ConfigMap', secret: 'Secret' };

/** The problems with references inside the manifest, each with its path. */
export function checkReferences(manifest: Manifest, sources: DataSources): string[] {
  return [...manifest.pods.flatMap((pod) => podProblems(pod, sources)), ...portProblems(manifest.pods)];
}

function podProblems(pod: PodManifest, sources: DataSources): string[] {
  const problems: string[] = [];
  const report = (path: string, what: string) => problems.push(`${pod.source}: ${path}: ${what}`);
  const lookup = (kind: DataKind, name: string, path: string, optional: boolean) => {
    const found = sources(kind, pod.namespace, name);
    if (!found && !optional) report(path, `the manifest has no ${kindName[kind]} ${name} in namespace ${pod.namespace}`);
    return found;
  };

  const names = pod.spec.volumes.map((one) => one.name);
  for (const [i, volume] of pod.spec.volumes.entries()) {
    if (volume.name !== '' && names.indexOf(volume.name) !== i) report(volume.path, `two volumes are called ${volume.name}`);
    checkVolume(volume);
  }
  for (const container of allContainers(pod.spec)) checkContainer(container);
  return problems;

  function checkVolume(volume: VolumeSpec): void {
    if (volume.kind !== 'configMap' && volume.kind !== 'secret') return;
    if (volume.object === '') return;
    const object = lookup(volume.kind, volume.object, volume.path, volume.optional);
    for (const item of volume.items ?? []) {
      if (object && !volume.optional && !object.data.has(item.key)) report(volume.path, `${kindName[volume.kind]} ${volume.object} has no key ${item.key}`);
    }
  }

  function checkContainer(container: ContainerSpec): void {
    for (const mount of container.mounts) {
      if (mount.volume !== '' && !names.includes(mount.volume)) report(mount.path, `the pod has no volume ${mount.volume}`);
      if (mount.propagation === 'Bidirectional' && !container.security.privileged) report(mount.path, 'mountPropagation Bidirectional is for privileged containers only');
    }
    for (const from of container.envFrom) if (from.name !== '') lookup(from.kind, from.name, from.path, from.optional);
    for (const variable of container.env) checkVariable(variable);
    const { security } = container;
    if ((security.runAsNonRoot ?? pod.spec.security.runAsNonRoot) && (security.runAsUser ?? pod.spec.security.runAsUser) === 0n) {
      report(container.path, 'runAsNonRoot is set, and runAsUser is 0');
    }
  }

  function checkVariable(variable: EnvVar): void {
    if (variable.kind !== 'configMapKey' && variable.kind !== 'secretKey') return;
    const { ref } = variable;
    const kind = variable.kind === 'configMapKey' ? 'configMap' : 'secret';
    if (ref.name === '' || ref.key === '') return;
    const object = lookup(kind, ref.name, variable.path, ref.optional);
    if (object && !ref.optional && !object.data.has(ref.key)) report(variable.path, `${kindName[kind]} ${ref.name} has no key ${ref.key}`);
  }
}

/** A host port has one owner on a node. */
function portProblems(pods: readonly PodManifest[]): string[] {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const pod of pods) {
    for (const container of allContainers(pod.spec)) {
      for (const port of container.ports) {
        const hostPort = pod.spec.hostNetwork ? port.containerPort : port.hostPort;
        if (hostPort === 0) continue;
        const key = `${port.protocol} ${port.hostIp}:${hostPort}`;
        const owner = owners.get(key);
        if (owner !== undefined) problems.push(`${pod.source}: ${port.path}: host port ${hostPort} (${port.protocol}) belongs to ${owner} already`);
        owners.set(key, `${pod.source} ${port.path}`);
      }
    }
  }
  return problems;
}
