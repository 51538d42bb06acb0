import type { ExecRequest, ExecResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';
import { wantedStreams } from '../wanted-streams.ts';

/** What can be refused is refused here and now; the command begins when its client comes to the URL. */
export async function exec(request: ExecRequest, { engine, sessions }: RpcCall): Promise<ExecResponse> {
  const act = 'exec in container';
  const asked = required(request.containerId, act, 'container_id');
  required(request.cmd[0], act, 'cmd');
  const wanted = wantedStreams(request, act, asked);
  const containerId = await engine.streams.admitExec({ containerId: asked, command: request.cmd, tty: request.tty });
  return { url: await sessions.offer({ kind: 'exec', containerId, command: request.cmd, ...wanted }) };
}
