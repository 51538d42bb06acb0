/**
 * What surrounds every RPC of every face: request id, deadline and cancellation as one signal, the count of calls in flight, the
 * status of a failure and one log line. The RPCs themselves only validate, ask the engine and shape the answer.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { status } from '@grpc/grpc-js';
import { failure, GantryError, kindOf } from '../../base/errors.ts';
import type { LogFields, Logger } from '../../base/log.ts';
import { Stages } from '../../base/stages.ts';
import type { CallContext } from '../../engine/engine.ts';
import type { InFlight } from './in-flight.ts';
import type { CallStatus } from './status.ts';
import { statusOf } from './status.ts';

export interface ConductDeps {
  readonly log: Logger;
  readonly inFlight: InFlight;
}

export interface Method {
  /** As in the proto: `RunPodSandbox`. */
  readonly name: string;
  /** Whether it changes something: such calls have a line at info. */
  readonly changing: boolean;
  /** Whether only the caller ends it, as he ends a watch: nobody waits for that when the daemon stops. */
  readonly endless: boolean;
  /** In the log line of each call. */
  readonly logFields: LogFields;
}

/** The part of a grpc-js server call that matters here. */
export interface ServerCall {
  readonly cancelled: boolean;
  /** The bytes of a request that is one message. */
  readonly request?: unknown;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

export type Answering = (ctx: CallContext, tell: (subject: LogFields) => void, hold: (bytes: number) => void) => Promise<void>;

/** A call that lasts longer has its stages in the log line. */
const slowMs = 1000;

/** Request ids of one process share a prefix, so that those of two runs of the daemon differ. */
const idPrefix = randomBytes(3).toString('hex');
let idCount = 0;

/**
 * Answers one call: `answer` reads what is asked, does the work and the sending, and `tell`s whom the call is about, for the log; it `holds`
 * the bytes that it sends, which counts them until it holds others or is done.
 * Resolves to undefined when it succeeded, else to the status for the caller; never rejects.
 */
export async function conduct(
  method: Method, call: ServerCall, deps: ConductDeps, answer: Answering,
): Promise<CallStatus | undefined> {
  const id = `${idPrefix}-${++idCount}`;
  const stages = new Stages(method.name);
  const abort = new AbortController();
  const onCancelled = (): void => abort.abort(goneReason(method, call));
  const log = deps.log.with({ request: id, rpc: method.name });
  let subject: LogFields = {};
  let thrown: unknown;
  let failed: CallStatus | undefined;

  call.on('cancelled', onCancelled);
  try {
    deps.inFlight.enter(method, abort, Buffer.isBuffer(call.request) ? call.request.length : 0);
    if (call.cancelled) onCancelled();
    await answer({ id, signal: abort.signal, stages, log }, (told) => (subject = told), (bytes) => deps.inFlight.holdAnswer(abort, bytes));
  } catch (error) {
    // What breaks off on the signal throws whatever it likes (an AbortError, mostly): why it was aborted says more.
    thrown = abort.signal.aborted && !(error instanceof GantryError) ? abort.signal.reason : error;
    failed = statusOf(thrown);
  } finally {
    call.off('cancelled', onCancelled);
    deps.inFlight.leave(abort);
  }
  record({ log, method, stages, subject, failed, thrown });
  return failed;
}

/** A deadline travels as the time that is left, so ours is later than the caller's, by as much as the request was under way. */
const deadlineSlackMs = 200;

function goneReason(method: Method, call: ServerCall): GantryError {
  return Date.now() >= Number(call.getDeadline()) - deadlineSlackMs
    ? failure('deadline-exceeded', { act: method.name, why: 'the deadline that the caller set passed' })
    : failure('cancelled', { act: method.name, why: 'the caller went away' });
}

interface Outcome {
  readonly log: Logger;
  readonly method: Method;
  readonly stages: Stages;
  readonly subject: LogFields;
  readonly failed: CallStatus | undefined;
  readonly thrown: unknown;
}

function record({ log, method, stages, subject, failed, thrown }: Outcome): void {
  const ms = Math.round(stages.elapsedMs * 10) / 10;
  const slow = ms >= slowMs;
  const fields: LogFields = {
    ...subject, ms, code: status[failed?.code ?? status.OK],
    ...method.logFields,
    ...(failed === undefined ? {} : { error: failed.details }),
    ...(slow || failed !== undefined ? { stages: stages.done } : {}),
  };
  if (failed !== undefined) recordFailure(log, method, fields, thrown);
  else if (slow || method.changing) log.info(method.name, fields);
  else log.debug(method.name, fields);
}

function recordFailure(log: Logger, method: Method, fields: LogFields, thrown: unknown): void {
  switch (kindOf(thrown)) {
    case 'internal':
      log.error(method.name, { ...fields, stack: thrown instanceof Error ? thrown.stack : inspect(thrown) });
      return;
    case 'unavailable': case 'deadline-exceeded': case 'resource-exhausted':
      log.warn(method.name, fields);
      return;
    case 'cancelled': // how a watch ends, and nobody's fault
      if (method.changing) log.info(method.name, fields);
      else log.debug(method.name, fields);
      return;
    default:
      log.info(method.name, fields);
  }
}
