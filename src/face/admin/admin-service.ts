/** Gantry's own API (src/gen/admin.proto), one RPC a file. */
import { AdminService } from '../../gen/admin.ts';
import type { Service } from '../grpc/service.ts';
import { clearLeaks } from './admin/clear-leaks.ts';
import { diskUsage } from './admin/disk-usage.ts';
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
  saveImages,
  tagImage,
  untagImage,
  listLeaks,
  clearLeaks,
};

export function adminService({ engine }: AdminDeps): Service {
  return {
    definition: AdminService, rpcs,
    changing: new Set(['LoadImages', 'TagImage', 'UntagImage', 'ClearLeaks']),
    endless: new Set(['WatchPulls']),
    subjectOf: ({ image }: { readonly image?: string }) => (image ? { image } : {}),
    callWith: (ctx) => ({ engine, ctx }),
  };
}
