import { failure } from '../../../base/errors.ts';
import type { PortForwardRequest, PortForwardResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';

/** A forward is two channels of a byte's range for each port. */
const mostPorts = 127;

/** The ports are for clients that can't name them themselves; whether anybody listens there is seen with each connection. */
export async function portForward(request: PortForwardRequest, { engine, sessions }: RpcCall): Promise<PortForwardResponse> {
  const act = 'forward ports of pod';
  const asked = required(request.podSandboxId, act, 'pod_sandbox_id');
  const ports = request.port;
  const wrong = ports.find((port) => port < 1 || port > 0xffff);
  if (wrong !== undefined) throw failure('invalid-argument', { act, object: asked, why: `port ${wrong} is not one from 1 to 65535` });
  if (ports.length > mostPorts) throw failure('invalid-argument', { act, object: asked, why: `${ports.length} ports are more than ${mostPorts}; forward them in several sessions` });
  return { url: await sessions.offer({ kind: 'portforward', podId: await engine.streams.admitPortForward(asked), ports }) };
}
