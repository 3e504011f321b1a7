/** The files that the page has asked for. Their names do not change, so each is asked for once. */
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

/** Another beginning of a session may have the same ids for other files. */
export function forgetFiles(): void {
  files.clear();
}
