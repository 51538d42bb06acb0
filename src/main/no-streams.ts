import { failure } from '../base/errors.ts';
import type { StreamEngine } from '../engine/stream-engine.ts';

function notYet(act: string, object: string) {
  return failure('unimplemented', { act, object, why: 'streaming sessions are not part of this version' });
}

/** Until the engine has sessions: each is refused before a URL is given for it. */
export const noStreams: StreamEngine = {
  admitExec: ({ containerId }) => Promise.reject(notYet('exec in container', containerId)),
  exec: ({ containerId }) => Promise.reject(notYet('exec in container', containerId)),
  admitAttach: (containerId) => Promise.reject(notYet('attach to container', containerId)),
  attach: (containerId) => Promise.reject(notYet('attach to container', containerId)),
  admitPortForward: (podId) => Promise.reject(notYet('forward ports of pod', podId)),
  portForward: (podId) => Promise.reject(notYet('forward ports of pod', podId)),
};
