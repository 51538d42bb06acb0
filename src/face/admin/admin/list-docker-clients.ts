import type { ListDockerClientsRequest, ListDockerClientsResponse } from '../../../gen/admin.ts';
import type { AdminCall } from '../rpc.ts';

export async function listDockerClients(_request: ListDockerClientsRequest, { dockerClients }: AdminCall): Promise<ListDockerClientsResponse> {
  return { served: dockerClients !== undefined, clients: dockerClients?.() ?? [] };
}
