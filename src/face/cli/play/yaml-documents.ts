/**
 * YAML as kubectl reads it (the Go library behind it): 1.2 with what it kept of 1.1. Modes are octal (0644), `yes` and `on` are
 * true, `y` and dates are text.
 */
import { parseAllDocuments, type Document, type ScalarTag, type Tags } from 'yaml';

const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
};
const truth: ScalarTag = { tag: 'tag:yaml.org,2002:bool', default: true, test: /^(?:[Yy]es|YES|[Oo]n|ON)$/, resolve: () => true };
const falsehood: ScalarTag = { tag: 'tag:yaml.org,2002:bool', default: true, test: /^(?:[Nn]o|NO|[Oo]ff|OFF)$/, resolve: () => false };

export type YamlDocument = { readonly content: unknown } | { readonly problem: string };

/** The documents of a file, each with its content or with what makes it no YAML; documents that hold nothing are null. */
export function yamlDocuments(text: string): YamlDocument[] {
  const customTags = (tags: Tags) => [octal, truth, falsehood, ...tags];
  const documents = parseAllDocuments(text, { version: '1.2', merge: true, uniqueKeys: true, customTags }) as Document.Parsed[];
  return documents.map((document) => {
    const error = document.errors[0];
    if (error) return { problem: error.message.split('\n')[0]!.replace(/:$/, '') };
    try {
      // Aliases are followed up to a bound, so that a small file cannot become a large one.
      return { content: document.toJS({ maxAliasCount: 100 }) as unknown };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  });
}
