/** The images of the benchmark on a registry of its own, the same for every runtime. */
import { readFileSync } from 'node:fs';
import { ImageSpec } from '../src/gen/cri.ts';
import { message } from '../test/support/cri-messages.ts';
import { busyboxImage, makeImage, pushImage } from '../test/support/image.ts';
import { startRegistry } from '../test/support/registry.ts';

export interface BenchImages {
  /** Reference of what the pods run. */
  readonly workload: string;
  /** Reference of the pause image, for runtimes that need one. */
  readonly pause: string;
  /** registries.conf that lets this registry be used without TLS. */
  readonly registriesConf: string;
  spec(reference: string): ImageSpec;
  stop(): Promise<void>;
}

export async function startBenchImages(): Promise<BenchImages> {
  const registry = await startRegistry();
  try {
    const pause = makeImage({
      layers: [[{ path: 'pause', mode: 0o755, content: readFileSync('/usr/bin/catatonit') }]],
      config: { Entrypoint: ['/pause', '-P'] },
    });
    return {
      workload: await pushImage(registry, 'bench/busybox:1', busyboxImage()),
      pause: await pushImage(registry, 'bench/pause:1', pause),
      registriesConf: `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`,
      spec: (image) => message(ImageSpec, { image }),
      stop: () => registry.stop(),
    };
  } catch (error) {
    await registry.stop();
    throw error;
  }
}
