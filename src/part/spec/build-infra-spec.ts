import type { PodSandboxConfig } from '../../gen/cri.ts';
import { defaultMounts } from './default-mounts.ts';
import { emptySpec } from './empty-spec.ts';
import type { ContainerDefaults, HandlerDefaults } from './container-defaults.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciMount, OciResources, OciSpec } from './oci-spec.ts';
import { compileSeccomp, seccompTarget } from './seccomp-profile.ts';
import type { NamespacePaths } from './spec-input.ts';
import { allowedAnnotations } from './allowed-annotations.ts';
import { sandboxAnnotations } from './with-annotations.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from './with-hidden-paths.ts';
import { hostnameWhereOwn, podNamespaces } from './with-namespaces.ts';
import { possibleOomScore } from './with-oom-score.ts';
import { selinuxLabels } from './with-selinux.ts';
import type { SelinuxState } from './with-selinux.ts';
import { inUserNamespace, podMappings, userNamespaceMounts } from './with-user-namespace.ts';

export interface InfraInput {
  readonly podId: string;
  readonly podConfig: PodSandboxConfig;
  readonly namespaces: NamespacePaths;
  /** An empty directory of mode 0755, since the process is not root: the mount points are made in it, by root of the pod. */
  readonly rootfs: string;
  /** A static program of the host that does nothing but reap children (catatonit), and its arguments. Undefined: it is in the root, as `/pause`. */
  readonly program: string | undefined;
  readonly args: readonly string[];
  readonly cgroupsPath: string;
  /** Limits of the pod as a whole, for a process that all its containers run in; else empty. */
  readonly resources: Omit<OciResources, 'devices'>;
  readonly hostname: string;
  readonly facts: HostFacts;
  readonly defaults: Pick<ContainerDefaults, 'restrictOomScore' | 'workloads' | 'seccomp'>;
  /** Of the pod's runtime handler. */
  readonly handler: HandlerDefaults;
  /** The node's default profile; undefined where it has none. */
  readonly apparmorProfile: string | undefined;
  /** As in SpecInput. */
  readonly selinux: SelinuxState | undefined;
}

const nobody = 65_535;
const infraOomScore = -998; // what the kubelet gives to critical things: a pod must not lose the process that holds it together

/**
 * The config.json of a pod's infra process, which is PID 1 of a PID namespace that the pod's containers share. It has no image: its root is
 * empty but for the one program, it runs as nobody with no capability, and it sees nothing of the host. The
 * node's defaults confine it (seccomp, AppArmor, the pod's SELinux labels) whatever the pod's containers are, privileged ones too. No hook runs for it.
 */
export function buildInfraSpec(input: InfraInput): OciSpec {
  const { facts } = input;
  const spec = emptySpec();
  const labels = input.selinux && selinuxLabels({ linux: undefined }, input.podConfig, input.selinux);
  const uid = Math.min(nobody, (podMappings(input)?.uids.length ?? Infinity) - 1);
  return {
    ...spec,
    root: { path: input.rootfs, readonly: true },
    ...hostnameWhereOwn(input),
    process: {
      ...spec.process,
      args: ['/pause', ...input.args],
      user: { ...spec.process.user, uid, gid: uid, additionalGids: [uid] },
      ...(input.apparmorProfile === undefined ? {} : { apparmorProfile: input.apparmorProfile }),
      ...(labels?.process === undefined ? {} : { selinuxLabel: labels.process }),
      oomScoreAdj: possibleOomScore(infraOomScore, facts, input.defaults),
    },
    mounts: [...(podMappings(input) === undefined ? defaultMounts(false) : userNamespaceMounts(defaultMounts(false), input)), ...pauseMount(input)],
    linux: inUserNamespace({
      ...spec.linux,
      namespaces: [{ type: 'mount' }, ...podNamespaces(input, undefined), { type: 'pid' }, ...(facts.cgroupMode === 'v2' ? [{ type: 'cgroup' } as const] : [])],
      cgroupsPath: input.cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2n }, ...input.resources },
      maskedPaths: [...defaultMaskedPaths],
      readonlyPaths: [...defaultReadonlyPaths],
      seccomp: compileSeccomp(input.defaults.seccomp, seccompTarget(facts, [])),
      ...(labels === undefined ? {} : { mountLabel: labels.file }),
    }, input),
    annotations: { ...allowedAnnotations({ handler: input.handler, workloads: input.defaults.workloads }, input.podConfig.annotations), ...sandboxAnnotations('sandbox', input) },
  };
}

function pauseMount({ program }: InfraInput): OciMount[] {
  return program === undefined ? [] : [{ destination: '/pause', type: 'bind', source: program, options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'] }];
}
