/** CANCEL of RFC 9113, section 7. */
const cancel = 8;

/** A client's word that a stream is over: RST_STREAM (RFC 9113, section 6.4). */
export function resetFrame(stream: number): Buffer {
  const frame = Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, cancel]);
  frame.writeUInt32BE(stream, 5);
  return frame;
}
