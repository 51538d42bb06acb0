import type { AttachRequest, AttachResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';
import { wantedStreams } from '../wanted-streams.ts';

/** Whether there is a terminal is the container's business, whatever the request says; the client gets what the container has. */
export async function attach(request: AttachRequest, { engine, sessions }: RpcCall): Promise<AttachResponse> {
  const act = 'attach to container';
  const asked = required(request.containerId, act, 'container_id');
  const wanted = wantedStreams(request, act, asked);
  const { id, tty, stdin } = await engine.streams.admitAttach(asked);
  return { url: await sessions.offer({ kind: 'attach', containerId: id, container: { tty, stdin }, ...wanted }) };
}
