import { failure } from '../../base/errors.ts';
import type { WantedStreams } from '../streaming/tickets.ts';

/** The streams of an exec or attach request: at least one, and no stderr where a terminal has all output on one (ExecRequest, AttachRequest). */
export function wantedStreams({ stdin, stdout, stderr, tty }: WantedStreams, act: string, object: string): WantedStreams {
  const refused = (why: string) => failure('invalid-argument', { act, object, why });
  if (!stdin && !stdout && !stderr) throw refused('none of stdin, stdout and stderr is wanted; ask for at least one');
  if (tty && stderr) throw refused('tty and stderr exclude each other: a terminal has its output on stdout');
  return { stdin, stdout, stderr, tty };
}
