/** The kubelet's configuration file (KubeletConfiguration, kubelet.config.k8s.io/v1beta1). Comments and order stay as they are. */
import { isMap, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { failure } from '../../base/errors.ts';

/** What counts here of the file. Not YAML, or no object: failed-precondition. */
export function readKubeletConfig(text: string, file: string): { endpoint: string | undefined; cgroupDriver: string | undefined } {
  const document = parse(text, file);
  const word = (name: string): string | undefined => {
    const value = document.get(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return { endpoint: word('containerRuntimeEndpoint'), cgroupDriver: word('cgroupDriver') };
}

/** The same file with another endpoint; an image service of its own is left out, as Gantry is both. */
export function editKubeletConfig(text: string, file: string, endpoint: string): string {
  const document = parse(text, file);
  document.set('containerRuntimeEndpoint', endpoint);
  document.delete('imageServiceEndpoint');
  return document.toString({ lineWidth: 0 });
}

function parse(text: string, file: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw failure('failed-precondition', { act: "read the kubelet's configuration", object: file, why: error.message.split('\n')[0]! });
  if (document.contents !== null && !isMap(document.contents)) throw failure('failed-precondition', { act: "read the kubelet's configuration", object: file, why: 'it is not an object' });
  return document;
}
