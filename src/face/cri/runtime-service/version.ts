import type { VersionRequest, VersionResponse } from '../../../gen/cri.ts';
import type { RpcCall } from '../rpc.ts';

/** The version of the interface is `0.1.0` in every runtime; what may differ is runtimeApiVersion. */
export async function version(_request: VersionRequest, { apiVersion, runtimeVersion, engine }: RpcCall): Promise<VersionResponse> {
  return { version: '0.1.0', runtimeName: engine.name, runtimeVersion, runtimeApiVersion: apiVersion };
}
