/**
 * Memory of bytes that stream past. V8 does not see how large buffers are: left to its garbage collector, those that a download leaves behind
 * pile up to hundreds of megabytes, or make it mark the whole heap over and over.
 */

/** Smaller pieces may lie in a pool that Node shares out (it stops at half of `Buffer.poolSize`), and are not worth the trouble. */
const smallestPiece = Math.max(16 * 1024, Buffer.poolSize);

/**
 * Frees the buffer that this piece is the end of, at once; a piece with more behind it is left alone. For him alone who got the piece from a
 * stream and has handed it to nobody who keeps it: afterwards all views of that buffer are empty.
 */
export function freeSpent(piece: Buffer): void {
  const { buffer, byteOffset, byteLength } = piece;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < smallestPiece) return;
  if (byteLength > 0 && byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
}
