import { matchesStars } from '../../base/star-pattern.ts';
import { checkText } from './check-field.ts';
import type { HandlerDefaults } from './container-defaults.ts';
import { workloadOf } from './with-workload.ts';
import type { Workload } from './with-workload.ts';

type Annotations = Readonly<Record<string, string>>;

/** What the OCI runtimes tell CRIU, programs to be run as root on the node among it: whatever the configuration allows, nobody gives these but us. */
const ours = /^org\.criu\./;

/**
 * The annotations that a handler's runtime may see: its own defaults, then those of the pod and of the container that the configuration of the
 * handler or of the pod's workload class allows, later ones winning. Without a pattern that fits none passes: runtimes read isolation settings from them (CVE-2023-6476, CVE-2024-3154).
 */
export function allowedAnnotations({ handler, workloads }: { handler: HandlerDefaults; workloads: readonly Workload[] }, pods: Annotations, containers: Annotations = {}): Record<string, string> {
  const given = [pods, containers];
  const patterns = [...handler.allowedAnnotations, ...(workloadOf(pods, workloads)?.allowedAnnotations ?? [])];
  const allowed = given.flatMap((annotations) => Object.entries(annotations)).filter(([name]) => !ours.test(name) && patterns.some((pattern) => matchesStars(pattern, name)));
  for (const [name, value] of allowed) checkText(`annotations[${name}]`, `${name}${value}`);
  return { ...handler.annotations, ...Object.fromEntries(allowed) };
}
