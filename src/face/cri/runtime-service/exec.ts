import { failure } from '../../../base/errors.ts';
import type { ExecRequest, ExecResponse } from '../../../gen/cri.ts';

export async function exec(request: ExecRequest): Promise<ExecResponse> {
  throw failure('unimplemented', {
    act: 'exec in container', object: request.containerId,
    why: 'streaming sessions are not part of this version; ExecSync runs a command to its end',
  });
}
