/** Gantry's own API (src/gen/admin.proto), one RPC a file. */
import { AdminService } from '../../gen/admin.ts';
import type { Service } from '../grpc/service.ts';
import { adoptImages } from './admin/adopt-images.ts';
import { clearLeaks } from './admin/clear-leaks.ts';
import { diskUsage } from './admin/disk-usage.ts';
import { listDockerClients } from './admin/list-docker-clients.ts';
import { listLeaks } from './admin/list-leaks.ts';
import { loadImages } from './admin/load-images.ts';
import { saveImages } from './admin/save-images.ts';
import { tagImage } from './admin/tag-image.ts';
import { untagImage } from './admin/untag-image.ts';
import { watchPulls } from './admin/watch-pulls.ts';
import type { AdminDeps, AdminRpcs } from './rpc.ts';

const rpcs: AdminRpcs = {
  watchPulls,
  diskUsage,
  loadImages,
  adoptImages,
  saveImages,
  tagImage,
  untagImage,
  listLeaks,
  clearLeaks,
  listDockerClients,
};

export function adminService(deps: AdminDeps): Service {
  return {
    definition: AdminService, rpcs,
    changing: new Set(['LoadImages', 'AdoptImages', 'TagImage', 'UntagImage', 'ClearLeaks']),
    endless: new Set(['WatchPulls']),
    subjectOf: ({ image }: { readonly image?: string }) => (image ? { image } : {}),
    callWith: (ctx) => ({ ...deps, ctx }),
  };
}
