/**
 * Kubernetes' channels over WebSocket: the first byte of a message is the number of its channel, the rest its bytes. In the base64 protocols it is
 * a digit, and the rest is base64. With v5 a message to channel 255 names a channel that ends.
 */
import { failure } from '../../../base/errors.ts';

export type ChannelCodec = 'binary' | 'base64';

export type ChannelMessage =
  | { readonly type: 'data'; readonly channel: number; readonly bytes: Buffer }
  | { readonly type: 'close'; readonly channel: number };

const closeChannel = 255;
const zero = 0x30;
const base64Form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Undefined for a message without content, which clients may send at any time. Malformed base64 is invalid-argument. */
export function decodeMessage(message: Buffer, codec: ChannelCodec): ChannelMessage | undefined {
  const first = message[0];
  if (first === undefined) return undefined;
  if (codec === 'binary') {
    if (first !== closeChannel) return { type: 'data', channel: first, bytes: message.subarray(1) };
    return message.length === 2 ? { type: 'close', channel: message[1]! } : undefined;
  }
  const text = message.toString('latin1', 1);
  if (!base64Form.test(text)) throw failure('invalid-argument', { act: 'read WebSocket message', why: 'after its channel it is not base64' });
  return { type: 'data', channel: (first - zero) & 0xff, bytes: Buffer.from(text, 'base64') };
}

/** `text`: whether it is a text message, as base64 is. */
export function encodeMessage(channel: number, bytes: Buffer, codec: ChannelCodec): { readonly message: Buffer; readonly text: boolean } {
  if (codec === 'binary') return { message: Buffer.concat([Buffer.from([channel]), bytes]), text: false };
  return { message: Buffer.from(String.fromCharCode(zero + channel) + bytes.toString('base64'), 'latin1'), text: true };
}
