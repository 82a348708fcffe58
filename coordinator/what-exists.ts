const MAX_LISTED = 20;

/** For the message about a name that nothing bears: what there is instead, each once and in order, at most twenty of them. */
export function whatExists(
  names: readonly string[],
  none: string,
): { readonly text: string; readonly listed: readonly string[] } {
  const all = [...new Set(names)].toSorted();
  const listed = all.slice(0, MAX_LISTED);
  const rest = all.length > listed.length ? ` and ${all.length - listed.length} more` : '';
  return { text: all.length === 0 ? none : `there are ${listed.join(', ')}${rest}`, listed };
}
