import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Signal } from '../../gen/cri.ts';
import { effectiveStopSignal, signalNumber } from './effective-stop-signal.ts';
import { exampleInput } from './example-input.fake.ts';

const chosen = (stopSignal: Signal, StopSignal?: string | null): Signal => effectiveStopSignal(exampleInput({ config: { stopSignal } }).config, StopSignal === undefined ? {} : { StopSignal });
const unsaid = Signal.SIGNAL_RUNTIME_DEFAULT;

test('the container has precedence over the image, and SIGTERM is the last word', () => {
  assert.equal(chosen(Signal.SIGNAL_SIGINT, 'SIGQUIT'), Signal.SIGNAL_SIGINT);
  assert.equal(chosen(unsaid, 'SIGQUIT'), Signal.SIGNAL_SIGQUIT);
  for (const nothing of [undefined, null, '']) assert.equal(chosen(unsaid, nothing), Signal.SIGNAL_SIGTERM);
});

test('an image may write its signal in any of the usual ways', () => {
  for (const text of ['SIGINT', 'INT', 'int', '2']) assert.equal(chosen(unsaid, text), Signal.SIGNAL_SIGINT, text);
  for (const text of ['SIGRTMIN+3', 'rtmin+3', '37']) assert.equal(chosen(unsaid, text), Signal.SIGNAL_SIGRTMINPLUS3, text);
  assert.equal(chosen(unsaid, 'SIGRTMAX-2'), Signal.SIGNAL_SIGRTMAXMINUS2);
});

test('an unknown signal is refused, not replaced', () => {
  for (const text of ['SIGFOO', '0', '999', 'constructor', 'UNRECOGNIZED']) {
    assert.throws(() => chosen(unsaid, text), { kind: 'failed-precondition', message: `read the image config.StopSignal ${JSON.stringify(text)}: there is no such signal` });
  }
  assert.throws(() => chosen(Signal.UNRECOGNIZED), { kind: 'invalid-argument', message: 'check config.stop_signal: -1 is not a value that this version knows' });
});

test('every signal of the CRI has its number', () => {
  const signals = Object.values(Signal).filter((signal) => signal > 0);
  const numbers = signals.map(signalNumber);

  assert.equal(signalNumber(Signal.SIGNAL_SIGTERM), 15);
  assert.equal(signalNumber(Signal.SIGNAL_SIGCLD), 17);
  assert.equal(signalNumber(Signal.SIGNAL_SIGRTMIN), 34);
  assert.equal(signalNumber(Signal.SIGNAL_SIGRTMINPLUS15), 49);
  assert.equal(signalNumber(Signal.SIGNAL_SIGRTMAXMINUS14), 50);
  assert.equal(signalNumber(Signal.SIGNAL_SIGRTMAX), 64);
  assert.ok(numbers.every((number) => Number.isInteger(number) && number >= 1 && number <= 64));
});

test('what has no number is not sent', () => {
  assert.throws(() => signalNumber(unsaid), { kind: 'internal', message: 'send signal 0: it has no number' });
});
