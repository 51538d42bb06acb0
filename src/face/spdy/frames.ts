/** The frames of SPDY/3.1 that are sent, as bytes (draft-mbelshe-httpbis-spdy, sections 2.2.1 and 2.6). */

export const spdyVersion = 3;
export const flagFin = 1;

export const controlType = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goaway: 7, headers: 8, windowUpdate: 9 } as const;

/** Why a stream is reset (section 2.6.3). */
export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const;

/** A data frame has at most this many bytes. */
export const longestData = 0xffffff;

function control(type: number, ...words: readonly number[]): Buffer {
  const frame = Buffer.alloc(8 + 4 * words.length);
  frame.writeUInt16BE(0x8000 | spdyVersion, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(4 * words.length, 4);
  words.forEach((word, i) => frame.writeUInt32BE(word, 8 + 4 * i));
  return frame;
}

/** The eight bytes before the data. */
export function dataHeader(stream: number, length: number, fin: boolean): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(stream, 0);
  header.writeUInt32BE(length, 4);
  header[4] = fin ? flagFin : 0;
  return header;
}

export function synReply(stream: number, headerBlock: Buffer): Buffer {
  const frame = control(controlType.synReply, stream);
  frame.writeUIntBE(4 + headerBlock.length, 5, 3);
  return Buffer.concat([frame, headerBlock]);
}

/** Opens a stream, with the highest priority, as there is only one. */
export function synStream(stream: number, headerBlock: Buffer): Buffer {
  const frame = control(controlType.synStream, stream, 0);
  frame.writeUIntBE(10 + headerBlock.length, 5, 3);
  return Buffer.concat([frame, Buffer.alloc(2), headerBlock]);
}

export const rstStream = (stream: number, status: number): Buffer => control(controlType.rstStream, stream, status);
export const ping = (id: number): Buffer => control(controlType.ping, id);
export const windowUpdate = (stream: number, delta: number): Buffer => control(controlType.windowUpdate, stream, delta);

/** No stream after `lastStream` is taken; `orderly` or because of a protocol error. */
export const goaway = (lastStream: number, orderly: boolean): Buffer => control(controlType.goaway, lastStream, orderly ? 0 : 1);
