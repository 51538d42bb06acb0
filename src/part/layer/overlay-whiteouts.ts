/**
 * Deletions in a layer: the tar marks them by name (OCI image-spec, layer.md "Whiteouts"), overlayfs by a character device
 * 0:0 and by an attribute (kernel documentation, overlayfs "whiteouts and opaque directories"). On a filesystem that refuses these, such as
 * an overlay itself, they stay marked by name: overlayfs cannot be used there anyway, and copies are made by either.
 */
export const whiteoutPrefix = '.wh.';
export const opaqueMarker = '.wh..wh..opq';
const reservedPrefix = '.wh..wh.'; // AUFS's own bookkeeping (.wh..wh.plnk, .wh..wh.aufs): means nothing to us

export const opaqueXattr = 'trusted.overlay.opaque';

export type Whiteout =
  /** The file or directory `name` of the lower layers is gone. */
  | { readonly kind: 'delete'; readonly name: string }
  /** All that lower layers have in this directory is gone. */
  | { readonly kind: 'opaque' }
  | { readonly kind: 'ignore' };

/** What a tar entry with this last path element means; undefined for an ordinary entry. */
export function parseWhiteout(baseName: string): Whiteout | undefined {
  if (!baseName.startsWith(whiteoutPrefix)) return undefined;
  if (baseName === opaqueMarker) return { kind: 'opaque' };
  if (baseName.startsWith(reservedPrefix)) return { kind: 'ignore' };
  return { kind: 'delete', name: baseName.slice(whiteoutPrefix.length) };
}
