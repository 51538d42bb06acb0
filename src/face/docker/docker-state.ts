/** What the endpoints share: the engine, and what they remember of things that never change. */
import type { Logger } from '../../base/log.ts';
import type { Engine } from '../../engine/engine.ts';
import { ChangeWatch } from './change-watch.ts';
import { imageDocument } from './image-document.ts';
import type { ImageDocument } from './image-document.ts';
import { Remembered } from './remembered.ts';
import { runtimeFacts } from './runtime-facts.ts';

export interface DockerState {
  readonly engine: Engine;
  readonly log: Logger;
  /** Gantry's own. */
  readonly version: string;
  /** What each container began with. */
  readonly commands: Remembered<readonly string[]>;
  readonly documents: Remembered<ImageDocument>;
  readonly changes: ChangeWatch;
}

export function dockerState({ engine, log, version }: Pick<DockerState, 'engine' | 'log' | 'version'>): DockerState {
  return {
    engine, log, version,
    commands: new Remembered(async (id) => runtimeFacts((await engine.containers.status(id, true)).info).command),
    documents: new Remembered((id) => imageDocument(engine.images, id)),
    changes: new ChangeWatch({ engine, log }),
  };
}
