import { failure } from '../../base/errors.ts';
import type { CheckpointEngine, Engine } from '../../engine/engine.ts';

/** The engine's part for checkpoints; unimplemented where it has none. */
export function checkpointsOf({ checkpoints }: Engine, act: string): CheckpointEngine {
  if (checkpoints === undefined) throw failure('unimplemented', { act, why: 'this engine takes and restores no checkpoints' });
  return checkpoints;
}
