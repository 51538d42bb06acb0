/**
 * Node streams of descriptors that Node has no class for: the master of a pseudo-terminal (tty.ReadStream writes to one without ever
 * giving up, which would hold up the whole daemon), a SOCK_SEQPACKET socket. libuv's pipes read and write whatever can be polled.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { SocketConstructorOpts } from 'node:net';
import { libc, O_CLOEXEC, SyscallError } from './libc.ts';

interface PipeHandle {
  open(fd: number): number;
  close(): void;
}

let pipeClass: (new (type: number) => PipeHandle) | undefined;

/** Node does not export the class of its pipe handles, so it is taken from a pipe. */
function pipeHandle(): PipeHandle {
  if (pipeClass === undefined) {
    const [readEnd, writeEnd] = libc.pipe2(O_CLOEXEC);
    closeSync(writeEnd);
    const socket = new Socket({ fd: readEnd, writable: false });
    pipeClass = (socket as unknown as { _handle: { constructor: new (type: number) => PipeHandle } })._handle.constructor;
    socket.destroy();
  }
  return new pipeClass(0);
}

/**
 * A socket over any descriptor that can be polled; it owns the descriptor from now on, also when this fails. Each `read(2)` is handed to
 * `onRead` as it is, valid for the time of that call, so that packets stay packets and nothing read is lost by an error that comes after it. False pauses
 * the reading until `resume()`.
 */
export function streamOfDescriptor(fd: number, onRead: (bytes: Buffer) => boolean): Socket {
  const handle = pipeHandle();
  const result = handle.open(fd);
  if (result !== 0) {
    closeSync(fd);
    throw new SyscallError('open stream', -result);
  }
  const onread = { buffer: Buffer.allocUnsafe(65_536), callback: (count: number, buffer: Uint8Array) => onRead(Buffer.from(buffer.buffer, buffer.byteOffset, count)) };
  return new Socket({ handle, onread, allowHalfOpen: true, readable: true, writable: true } as unknown as SocketConstructorOpts);
}

/** libuv's descriptor of a stream that Node made. */
export function descriptorOf(stream: Socket): number | undefined {
  const fd = (stream as unknown as { _handle: { fd?: number } | null })._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

const FIONREAD = 0x541b;

/** Bytes in a pipe that nobody has read yet, in the kernel and in the stream; 0 once it is closed. */
export function unreadBytes(stream: Socket): number {
  const fd = descriptorOf(stream);
  if (fd === undefined) return stream.readableLength;
  const count = Buffer.alloc(4);
  libc.ioctl(fd, FIONREAD, count);
  return stream.readableLength + count.readInt32LE(0);
}
