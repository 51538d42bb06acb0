/** A registry's refusals, in our words. Its own text is foreign: capped, quoted, and never more than an addition. */
import type { IncomingMessage } from 'node:http';
import { failure } from '../../base/errors.ts';
import type { GantryError } from '../../base/errors.ts';
import { readCapped } from './pace.ts';
import type { Patience } from './pace.ts';

const longestQuote = 300;

export interface AnswerContext {
  readonly act: string;
  readonly object: string;
  readonly host: string;
  readonly patience: Patience;
  /** Added to a refusal of access: what was or was not sent. */
  readonly credentials: string;
}

/**
 * The failure that an answer with an error status stands for; reads its body. 404 not-found; 401 and 403 failed-precondition;
 * 429 resource-exhausted; 5xx unavailable (RegistryUnavailable to the kubelet); the rest failed-precondition.
 */
export async function answerFailure(response: IncomingMessage, context: AnswerContext): Promise<GantryError> {
  const status = response.statusCode ?? 0;
  const said = await quoteBody(response, context);
  const { act, object, host } = context;
  if (status === 404) return failure('not-found', { act, object, why: `${host} does not have it${said}` });
  if (status === 401 || status === 403) {
    return failure('failed-precondition', { act, object, why: `${host} refuses access (${status}), ${context.credentials}; it does not exist or needs other credentials${said}` });
  }
  if (status === 429) return failure('resource-exhausted', { act, object, why: `${host} limits how often it may be asked (429): wait, or pull with an account${said}` });
  if (status >= 500) return failure('unavailable', { act, object, why: `${host} answers ${status}${said}`, criReason: 'RegistryUnavailable' });
  return failure('failed-precondition', { act, object, why: `${host} answers ${status}${said}` });
}

async function quoteBody(response: IncomingMessage, context: AnswerContext): Promise<string> {
  try {
    const body = await readCapped(response, 64 * 1024, { patience: context.patience, host: context.host, what: 'error answer' });
    const text = errorTextOf(body.toString('utf8'));
    return text === '' ? '' : `; it says ${JSON.stringify(text.slice(0, longestQuote))}`;
  } catch {
    return ''; // the status says enough
  }
}

// distribution-spec "Error Codes": {"errors":[{"code":…,"message":…}]}
function errorTextOf(body: string): string {
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] };
    const first = errors?.[0];
    if (first !== undefined) return [first.code, first.message].filter((part) => typeof part === 'string' && part !== '').join(': ');
  } catch {
    // not JSON: quoted as it is
  }
  return body.trim();
}
