import type { Stages } from '../../base/stages.ts';
import type { Attachment } from '../../part/cni/attachment.ts';
import { podIps } from '../../part/cni/cni-result.ts';
import { podAttachment, podInterface } from '../../part/cni/pod-attachment.ts';
import { usesHostNetwork } from '../../part/spec/pod-config.ts';
import type { PodDeps } from './pod-deps.ts';
import { writeLateSysctls } from './pod-namespaces.ts';
import { podPaths } from './pod-paths.ts';
import type { PodInTheMaking } from './run-pod.ts';

/** Attaches the pod to its handler's CNI network, or else the node's, and returns its addresses, the primary first; none in the host's network. */
export async function attachNetwork(deps: PodDeps, pod: PodInTheMaking, stages: Stages): Promise<string[]> {
  if (usesHostNetwork(pod.config)) return [];
  const { cniConfDir } = pod.ground;
  const attachment: Attachment = {
    ...podAttachment({ id: pod.id, netnsPath: `${podPaths(deps.roots.state, pod.id).namespaces}/net`, config: pod.config }),
    ...(cniConfDir === undefined ? {} : { confDir: cniConfDir }),
  };
  const result = await deps.effects.make({ owner: pod.id, kind: 'network', data: attachment }, () => deps.cni.add(attachment, { stages }));
  writeLateSysctls(deps, pod);
  return podIps(result, podInterface);
}
