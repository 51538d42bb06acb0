import type { DockerDeps } from '../docker-deps.ts';

export type ImageDeps = Pick<DockerDeps, 'api' | 'info' | 'mirror' | 'pinned' | 'policy'>;
