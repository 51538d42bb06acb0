import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { failure } from '../../../base/errors.ts';
import { decodeMessage, encodeMessage } from './channel-message.ts';
import type { ChannelCodec } from './channel-message.ts';

/** How long a client has to answer that the connection is to be closed. */
const lingerMs = 5000;
const channelBufferBytes = 64 << 10;
/** Status codes of RFC 6455, section 7.4.1. */
const normalClosure = 1000;
const invalidPayload = 1007;

export interface ChannelsOptions {
  readonly socket: WebSocket;
  readonly codec: ChannelCodec;
  /** How many channels there are, from 0 on; messages for others are passed over. */
  readonly count: number;
  /** Channels whose messages nobody reads. */
  readonly unread: ReadonlySet<number>;
  /** Whether a message can end a channel (v5). */
  readonly halfClose: boolean;
  /** Data came or left. */
  onData(): void;
}

/**
 * The channels of one WebSocket connection, each a Duplex. A writer waits for its bytes to leave; a reader that does not take what came stops
 * the connection, for all channels.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #channels: readonly Channel[];
  readonly #full = new Set<Channel>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #over = false;

  constructor(options: ChannelsOptions) {
    const { socket, count } = options;
    this.#options = options;
    this.#channels = Array.from({ length: count }, (_, number) => new Channel(this, number));
    socket.on('message', (message: Buffer) => this.#take(message));
    socket.on('error', (error) => this.#close(error));
    socket.on('close', () => this.#close());
  }

  /** Resolves once the connection is gone, with its error if there was one. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** One of the channels, by its number. */
  of(number: number): Duplex {
    return this.#channels[number]!;
  }

  ping(): void {
    if (!this.#over) this.#options.socket.ping();
  }

  /** Says goodbye, and waits for the client to answer; one that does not is cut off after 5 s. */
  async finish(): Promise<void> {
    const { socket } = this.#options;
    for (const channel of this.#channels) channel.deaf = true;
    this.#full.clear();
    socket.resume();
    socket.close(normalClosure);
    const timer = setTimeout(() => socket.terminate(), lingerMs);
    await this.closed;
    clearTimeout(timer);
  }

  destroy(): void {
    this.#options.socket.terminate();
    this.#close();
  }

  /** Of a channel: its next bytes. */
  send(channel: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    if (this.#over) return done(failure('cancelled', { act: 'write to client', why: 'the connection is gone' }));
    this.#options.onData();
    const { message, text } = encodeMessage(channel, bytes, this.#options.codec);
    this.#options.socket.send(message, { binary: !text }, done);
  }

  /** Of a channel: its reader wants more. */
  goOn(channel: Channel): void {
    if (this.#full.delete(channel) && this.#full.size === 0) this.#options.socket.resume();
  }

  #take(bytes: Buffer): void {
    if (this.#over) return;
    const { codec, unread, halfClose, onData } = this.#options;
    try {
      const message = decodeMessage(bytes, codec);
      const channel = message === undefined || unread.has(message.channel) ? undefined : this.#channels[message.channel];
      onData();
      if (channel === undefined || channel.deaf) return;
      if (message!.type === 'close') {
        if (halfClose) channel.endOfInput();
      } else if (message!.bytes.length > 0 && !channel.push(message!.bytes)) {
        this.#full.add(channel);
        this.#options.socket.pause();
      }
    } catch (error) {
      this.#options.socket.close(invalidPayload, 'not base64');
      this.#close(error as Error);
    }
  }

  #close(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    for (const channel of this.#channels) channel.destroy();
    this.#closed.resolve(error);
  }
}

/** One channel. There is no end of it on the wire towards the client: ending it waits for its bytes to leave. */
class Channel extends Duplex {
  /** Nothing is to come to it any more: what does is thrown away. */
  deaf = false;
  readonly #channels: Channels;
  readonly #number: number;

  constructor(channels: Channels, number: number) {
    super({ readableHighWaterMark: channelBufferBytes, writableHighWaterMark: channelBufferBytes, autoDestroy: false });
    this.#channels = channels;
    this.#number = number;
    this.on('error', () => {}); // each user hears of it by his own pipe or promise
  }

  endOfInput(): void {
    this.deaf = true;
    this.push(null);
  }

  override _read(): void {
    this.#channels.goOn(this);
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#channels.send(this.#number, bytes, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.deaf = true;
    this.#channels.goOn(this);
    done(error);
  }
}
