/** Pseudo-terminals: the side of whoever sits in front of one. */
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { failure } from '../base/errors.ts';
import { streamOfDescriptor } from './descriptor-stream.ts';
import { libc } from './libc.ts';

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSWINSZ = 0x5414;
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const SIZE_OF_TERMIOS = 64;

// struct termios of the kernel: four words of flags, then c_line and the control characters.
const IFLAG_OF_COOKED = 0o2753; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
const OFLAG_OPOST = 0o1;
const LFLAG_OF_COOKED = 0o100113; // ISIG ICANON ECHO ECHONL IEXTEN

/** What a terminal in its usual mode takes for the end of input. */
const endOfInput = 0x04;
const newLine = 0x0a;

/**
 * The master of a pseudo-terminal as a stream. Its end is the moment in which nobody has the terminal open any more, whatever was
 * written before read to the end. The end of what is written to it is typed as ^D: there is no other end of a terminal's input. To
 * destroy it is to hang up.
 */
export class Terminal extends Duplex {
  readonly #fd: number;
  readonly #socket: Socket;
  #lastByte = newLine;

  /** Takes over the descriptor. One that is no master of a pseudo-terminal is failed-precondition. */
  constructor(fd: number) {
    super({ allowHalfOpen: true });
    checkMaster(fd);
    this.#fd = fd;
    this.#socket = streamOfDescriptor(fd, (bytes) => this.push(Buffer.from(bytes)));
    this.#socket.on('error', () => {}); // EIO is how Linux says that nobody has it open any more
    this.#socket.once('close', () => this.push(null));
    this.#socket.once('end', () => this.#socket.destroy());
  }

  /** The program on it gets SIGWINCH if that is a change. After the end it is nothing. */
  resize({ columns, rows }: { readonly columns: number; readonly rows: number }): void {
    if (this.#socket.destroyed) return;
    const size = Buffer.alloc(8);
    size.writeUInt16LE(clampSize(rows), 0);
    size.writeUInt16LE(clampSize(columns), 2);
    libc.ioctl(this.#fd, TIOCSWINSZ, size);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#lastByte = chunk.at(-1) ?? this.#lastByte;
    if (this.#socket.destroyed) done();
    else this.#socket.write(chunk, () => done()); // a failure is the end of the terminal, which its readers learn
  }

  override _final(done: (error?: Error | null) => void): void {
    // In the middle of a line the first ^D only sends what was typed of it.
    const keys = this.#lastByte === newLine ? [endOfInput] : [endOfInput, endOfInput];
    if (this.#socket.destroyed) done();
    else this.#socket.write(Buffer.from(keys), () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

/** Characters, as many as the kernel can count. */
export function clampSize(value: number): number {
  return Math.max(0, Math.min(65_535, Math.trunc(value)));
}

function checkMaster(fd: number): void {
  try {
    libc.ioctl(fd, TIOCGPTN, Buffer.alloc(4));
  } catch (cause) {
    fs.closeSync(fd);
    throw failure('failed-precondition', { act: 'open terminal', why: 'the OCI runtime sent something else than the master of a pseudo-terminal', cause });
  }
}

/**
 * A new pseudo-terminal that passes on every byte as it is, for a program that keeps the real one itself. `slave` is for the program, and
 * the caller's to close.
 */
export function openRawTerminal(): { readonly terminal: Terminal; readonly slave: number } {
  const opened = openTerminal();
  makeRaw(opened.slave);
  return opened;
}

/** As `openRawTerminal`, for a program to which it is the terminal itself: lines are edited, and typing is echoed. */
export function openTerminal(): { readonly terminal: Terminal; readonly slave: number } {
  const master = fs.openSync('/dev/ptmx', fs.constants.O_RDWR | fs.constants.O_NOCTTY);
  let slave: number;
  try {
    libc.ioctl(master, TIOCSPTLCK, Buffer.alloc(4));
    const number = Buffer.alloc(4);
    libc.ioctl(master, TIOCGPTN, number);
    slave = fs.openSync(`/dev/pts/${number.readUInt32LE(0)}`, fs.constants.O_RDWR | fs.constants.O_NOCTTY);
  } catch (error) {
    fs.closeSync(master);
    throw error;
  }
  return { terminal: new Terminal(master), slave };
}

function makeRaw(fd: number): void {
  const termios = Buffer.alloc(SIZE_OF_TERMIOS);
  libc.ioctl(fd, TCGETS, termios);
  termios.writeUInt32LE((termios.readUInt32LE(0) & ~IFLAG_OF_COOKED) >>> 0, 0);
  termios.writeUInt32LE((termios.readUInt32LE(4) & ~OFLAG_OPOST) >>> 0, 4);
  termios.writeUInt32LE((termios.readUInt32LE(12) & ~LFLAG_OF_COOKED) >>> 0, 12);
  libc.ioctl(fd, TCSETS, termios);
}
