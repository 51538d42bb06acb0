import { PodSandboxState } from '../../../gen/cri.ts';
import type { ListPodSandboxRequest, ListPodSandboxResponse } from '../../../gen/cri.ts';
import { withKnownState } from '../known-state.ts';
import type { RpcCall } from '../rpc.ts';

export async function listPodSandbox({ filter }: ListPodSandboxRequest, { engine }: RpcCall): Promise<ListPodSandboxResponse> {
  return { items: await engine.pods.list(withKnownState(filter, 'list pods', PodSandboxState)) };
}
