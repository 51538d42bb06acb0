import type { ExecSyncRequest, ExecSyncResponse } from '../../../gen/cri.ts';
import { required } from '../../grpc/required.ts';
import type { RpcCall } from '../rpc.ts';
import { secondsOf } from '../seconds-of.ts';

/** What the message needs beside the output. */
const besides = 64;

/** The output that a message has no room for is thrown away: a probe that prints much must not fail for it. */
export async function execSync(
  { containerId, cmd, timeout }: ExecSyncRequest, { engine, ctx, maxMessageBytes }: RpcCall,
): Promise<ExecSyncResponse> {
  const act = 'exec in container';
  const id = required(containerId, act, 'container_id');
  required(cmd[0], act, 'cmd');
  const { stdout, stderr, exitCode } = await engine.containers.execSync(id, cmd, secondsOf(timeout, act, 'timeout'), ctx);
  return { ...fitting(stdout, stderr, maxMessageBytes - besides), exitCode };
}

/** Both streams as they are when they fit; else each has at least half of the room. */
function fitting(stdout: Uint8Array, stderr: Uint8Array, room: number): { stdout: Buffer; stderr: Buffer } {
  const forStdout = Math.min(stdout.length, Math.max(Math.floor(room / 2), room - stderr.length));
  const forStderr = Math.min(stderr.length, room - forStdout);
  return { stdout: firstOf(stdout, forStdout), stderr: firstOf(stderr, forStderr) };
}

function firstOf(bytes: Uint8Array, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length);
}
