/** The client's end of a byte tunnel in WebSocket messages, framed by hand: the library's own client refuses the tunnel's name. */
import { randomBytes } from 'node:crypto';
import * as http from 'node:http';
import { Duplex } from 'node:stream';

export interface Tunnel {
  readonly protocol: string;
  readonly bytes: Duplex;
}

export async function openTunnel(url: string, protocol: string): Promise<Tunnel> {
  const headers = { 'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64'), 'Sec-WebSocket-Protocol': protocol };
  const request = http.get(url, { agent: false, headers });
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', ({ statusCode }) => reject(new Error(`refused with ${statusCode}`)));
    request.on('upgrade', (response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve({ protocol: String(response.headers['sec-websocket-protocol']), bytes: framed(socket) });
    });
  });
}

function framed(socket: Duplex): Duplex {
  const bytes = new Duplex({
    read: () => {},
    write: (data: Buffer, _encoding, done) => void socket.write(Buffer.concat([headerOf(data.length), data]), done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  let held = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (let frame = firstFrame(held); frame !== undefined; frame = firstFrame(held)) {
      bytes.push(frame.opcode === 8 ? null : frame.payload);
      held = held.subarray(frame.length);
    }
  });
  socket.on('close', () => bytes.destroy());
  return bytes;
}

/** A whole binary message; the mask that clients have to have is all zeros. */
function headerOf(length: number): Buffer {
  const header = Buffer.alloc(14);
  header[0] = 0x82;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

function firstFrame(held: Buffer): { opcode: number; payload: Buffer; length: number } | undefined {
  if (held.length < 2) return undefined;
  const short = held[1]! & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (held.length < start) return undefined;
  const size = short < 126 ? short : short === 126 ? held.readUInt16BE(2) : Number(held.readBigUInt64BE(2));
  if (held.length < start + size) return undefined;
  return { opcode: held[0]! & 0x0f, payload: Buffer.from(held.subarray(start, start + size)), length: start + size };
}
