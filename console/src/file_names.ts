/**
 * The files that the page has requested. Their names do not change, so the page requests each only
 * once.
 */
import type { Api } from "./api";
import type { StoredFile } from "./types";

const files = new Map<string, Promise<StoredFile>>();

export function fileOf(api: Api, id: string): Promise<StoredFile> {
  const key = `${api.session}/${id}`;
  const known = files.get(key) ?? api.get<StoredFile>(`v1/files/${encodeURIComponent(id)}`);
  files.set(key, known);
  known.catch(() => files.delete(key));
  return known;
}

/** After a reset, other files of the session may have the same ids. */
export function forgetFiles(): void {
  files.clear();
}
