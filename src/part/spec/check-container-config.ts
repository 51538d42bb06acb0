import type { ContainerConfig } from '../../gen/cri.ts';
import { badField } from './check-field.ts';

/** Refuses what no later step would look at: asked for and silently not done is worse than an error. */
export function checkContainerConfig(config: ContainerConfig): void {
  if (config.windows !== undefined) throw badField('config.windows', 'this is a Linux node');
}
