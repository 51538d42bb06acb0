import { constants } from 'node:os';
import { failure } from '../../base/errors.ts';
import type { ContainerConfig } from '../../gen/cri.ts';
import { Signal } from '../../gen/cri.ts';
import { checkEnum, quote } from './check-field.ts';
import type { ImageConfig } from './image-config.ts';

const firstRealtime = 34; // SIGRTMIN as glibc and musl count it: the kernel's first two are the C library's
const lastRealtime = 64;

// A name that the CRI spells and Node leaves out.
const aliases: Readonly<Record<string, number>> = { SIGCLD: constants.signals.SIGCHLD };

/**
 * The signal that asks a container to stop: the CRI's stop_signal, else the image's StopSignal (`SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`), else SIGTERM. As the
 * CRI's value, for ContainerStatus.stop_signal. An unknown one is invalid-argument in the CRI, failed-precondition in an image.
 */
export function effectiveStopSignal(config: ContainerConfig, image: ImageConfig): Signal {
  const asked = checkEnum('config.stop_signal', config.stopSignal, Signal);
  if (asked !== Signal.SIGNAL_RUNTIME_DEFAULT) return asked;
  return image.StopSignal ? parseSignal(image.StopSignal) : Signal.SIGNAL_SIGTERM;
}

/** The number to send. */
export function signalNumber(signal: Signal): number {
  const name = Object.entries(Signal).find(([, value]) => value === signal)?.[0].replace('SIGNAL_', '') ?? '';
  const [, base, offset = '0'] = /^SIGRT(MIN|MAX)(?:PLUS|MINUS)?(\d+)?$/.exec(name) ?? [];
  if (base === 'MIN') return firstRealtime + Number(offset);
  if (base === 'MAX') return lastRealtime - Number(offset);
  const number = aliases[name] ?? constants.signals[name as NodeJS.Signals];
  if (number === undefined) throw failure('internal', { act: 'send signal', object: String(signal), why: 'it has no number' });
  return number;
}

function parseSignal(text: string): Signal {
  const upper = text.toUpperCase();
  const name = `SIGNAL_${upper.startsWith('SIG') ? '' : 'SIG'}${upper.replace('+', 'PLUS').replace('-', 'MINUS')}`;
  const signal = /^\d+$/.test(text) ? byNumber(Number(text)) : (Signal as Readonly<Record<string, Signal>>)[name];
  if (signal === undefined) throw failure('failed-precondition', { act: 'read the image config.StopSignal', object: quote(text), why: 'there is no such signal' });
  return signal;
}

function byNumber(number: number): Signal | undefined {
  return Object.values(Signal).find((signal) => signal > 0 && signalNumber(signal) === number);
}
