/** Everything that is answered, one endpoint a file. */
import type { Endpoint } from './endpoint.ts';
import { containerLogs } from './endpoint/container-logs.ts';
import { containerStats } from './endpoint/container-stats.ts';
import { diskUsage } from './endpoint/disk-usage.ts';
import { events } from './endpoint/events.ts';
import { imageHistory } from './endpoint/image-history.ts';
import { info } from './endpoint/info.ts';
import { inspectContainer } from './endpoint/inspect-container.ts';
import { inspectImage } from './endpoint/inspect-image.ts';
import { listContainers } from './endpoint/list-containers.ts';
import { listImages } from './endpoint/list-images.ts';
import { noExec, noNetwork, noNetworks, noPlugin, noPlugins, noSwarm, noVolume, noVolumes } from './endpoint/nothing-of-it.ts';
import { ping } from './endpoint/ping.ts';
import { version } from './endpoint/version.ts';

export const endpoints: readonly Endpoint[] = [
  ping, version, info, diskUsage, events,
  listContainers, inspectContainer, containerLogs, containerStats,
  listImages, inspectImage, imageHistory,
  noNetworks, noNetwork, noVolumes, noVolume, noPlugins, noPlugin, noExec, ...noSwarm,
];
