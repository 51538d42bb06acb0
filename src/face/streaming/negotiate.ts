/** Which protocol a client's upgrade request is for; what it asks for that we lack is refused in HTTP. */
import type { IncomingMessage } from 'node:http';
import { commandProtocols } from './spdy/serve-command.ts';
import type { CommandProtocol } from './spdy/serve-command.ts';
import { portProtocol } from './spdy/serve-ports.ts';
import type { Admitted } from './tickets.ts';
import { webSocketCommandProtocols } from './websocket/serve-command.ts';
import type { WebSocketCommandProtocol } from './websocket/serve-command.ts';
import { webSocketPortProtocols } from './websocket/serve-ports.ts';
import type { WebSocketPortProtocol } from './websocket/serve-ports.ts';

/** SPDY inside WebSocket messages, for port-forward only (KEP-4006). */
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

export type Agreed =
  | { readonly by: 'spdy'; readonly command: CommandProtocol }
  | { readonly by: 'spdy'; readonly ports: true }
  | { readonly by: 'websocket'; readonly command: WebSocketCommandProtocol }
  | { readonly by: 'websocket'; readonly ports: WebSocketPortProtocol }
  | { readonly by: 'tunnel' };

export interface Refusal {
  readonly status: 400 | 403 | 404 | 426;
  readonly why: string;
}

/** What of this request's offers is spoken, by the client's preference where it has one. */
export function negotiate({ headers }: Pick<IncomingMessage, 'headers'>, kind: Admitted['kind']): Agreed | Refusal {
  switch (headers.upgrade?.toLowerCase()) {
    case 'spdy/3.1':
      return negotiateSpdy(offersOf(headers['x-stream-protocol-version']), kind);
    case 'websocket':
      return negotiateWebSocket(offersOf(headers['sec-websocket-protocol']), kind);
    default:
      return { status: 400, why: `upgrade to ${JSON.stringify(headers.upgrade ?? '')} is not possible, only to SPDY/3.1 or websocket` };
  }
}

/** Clients send a header for each or one with commas; Node joins the former by commas too. */
function offersOf(header: string | readonly string[] | undefined): string[] {
  return (header ?? '').toString().split(',').map((offer) => offer.trim()).filter((offer) => offer !== '');
}

function negotiateSpdy(offers: readonly string[], kind: Admitted['kind']): Agreed | Refusal {
  if (kind === 'portforward') {
    return offers.length === 0 || offers.includes(portProtocol) ? { by: 'spdy', ports: true } : noneOf(offers, [portProtocol]);
  }
  const command = offers.length === 0 ? 'channel.k8s.io' : firstOf(offers, commandProtocols);
  return command === undefined ? noneOf(offers, commandProtocols) : { by: 'spdy', command };
}

function negotiateWebSocket(offers: readonly string[], kind: Admitted['kind']): Agreed | Refusal {
  if (kind === 'portforward') {
    const spoken = [tunnelProtocol, ...webSocketPortProtocols] as const;
    const agreed = offers.length === 0 ? 'v4.channel.k8s.io' : firstOf(offers, spoken);
    if (agreed === undefined) return noneOf(offers, spoken);
    return agreed === tunnelProtocol ? { by: 'tunnel' } : { by: 'websocket', ports: agreed };
  }
  const command = offers.length === 0 ? 'channel.k8s.io' : firstOf(offers, webSocketCommandProtocols);
  return command === undefined ? noneOf(offers, webSocketCommandProtocols) : { by: 'websocket', command };
}

function firstOf<const Spoken extends readonly string[]>(offers: readonly string[], spoken: Spoken): Spoken[number] | undefined {
  return offers.find((offer) => spoken.includes(offer)) as Spoken[number] | undefined;
}

function noneOf(offers: readonly string[], spoken: readonly string[]): Refusal {
  return { status: 403, why: `none of the protocols ${offers.join(', ')} is spoken here, only ${spoken.join(', ')}` };
}
