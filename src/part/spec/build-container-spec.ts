import { checkContainerConfig } from './check-container-config.ts';
import { resourcesField } from './check-field.ts';
import { checkProcessSize } from './check-process-size.ts';
import type { OciSpec } from './oci-spec.ts';
import type { SpecInput } from './spec-input.ts';
import { withAnnotations } from './with-annotations.ts';
import { withAppArmor } from './with-apparmor.ts';
import { withBaseSpec } from './with-base-spec.ts';
import { withCapabilities } from './with-capabilities.ts';
import { withCdi } from './with-cdi.ts';
import { withContainerMounts } from './with-container-mounts.ts';
import { withDevices } from './with-devices.ts';
import { withEnvironment } from './with-environment.ts';
import { withHiddenPaths } from './with-hidden-paths.ts';
import { withNamespaces } from './with-namespaces.ts';
import { withOomScore } from './with-oom-score.ts';
import { withPidsLimit } from './with-pids-limit.ts';
import { withProcess } from './with-process.ts';
import { withResourceClasses } from './with-resource-classes.ts';
import { withResources } from './with-resources.ts';
import { withRlimits } from './with-rlimits.ts';
import { withRoot } from './with-root.ts';
import { withSeccomp } from './with-seccomp.ts';
import { withSelinux } from './with-selinux.ts';
import { withTimezone } from './with-timezone.ts';
import { withUser } from './with-user.ts';
import { withUserNamespace } from './with-user-namespace.ts';
import { withWorkload } from './with-workload.ts';
import { checkMinMemory } from './check-min-memory.ts';
import { emptySpec } from './empty-spec.ts';

/** One concern: the spec so far and the whole input give the spec with the concern in it. A step never changes what it was given. */
export type SpecStep = (spec: OciSpec, input: SpecInput) => OciSpec;

// In order. Seccomp reads the capabilities that were settled before it, the user namespace and the time zone the mounts, the base spec lies under it all, and CDI
// edits what came out; the others are independent of each other.
const steps: readonly SpecStep[] = [
  withRoot,
  withProcess,
  withUser,
  withEnvironment,
  withCapabilities,
  withRlimits,
  withOomScore,
  withNamespaces,
  withContainerMounts,
  withTimezone,
  withUserNamespace,
  withHiddenPaths,
  withDevices,
  withResources,
  withWorkload,
  withPidsLimit,
  withResourceClasses,
  withSeccomp,
  withAppArmor,
  withSelinux,
  withAnnotations,
  withBaseSpec,
  withCdi,
];

/**
 * The OCI config.json of a container (runtime-spec 1.0.2). Pure: nothing is read or remembered, and two results share nothing that could be
 * changed (CVE-2021-21334).
 *
 * Errors: invalid-argument names the CRI field that is wrong; failed-precondition what this host or image lacks.
 */
export function buildContainerSpec(input: SpecInput): OciSpec {
  checkContainerConfig(input.config, input.podConfig);
  checkMinMemory(input.config.linux?.resources, input.handler.minMemory, resourcesField);
  const spec = steps.reduce((built, step) => step(built, input), emptySpec());
  checkProcessSize(spec.process, { args: 'config.args', env: 'config.envs' }, input.facts);
  return spec;
}
