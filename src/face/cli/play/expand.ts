/**
 * `$(NAME)` in commands, arguments and environment values, as Kubernetes expands it: a known name becomes its value, an
 * unknown one stays as it is written, `$$` is one dollar sign. Values are not expanded a second time.
 */
export function expandVariables(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (found, name: string | undefined) => (name === undefined ? '$' : (values.get(name) ?? found)));
}
